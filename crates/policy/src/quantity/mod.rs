//! Parses, compares and prints Kubernetes quantities such as `500m`, `1Gi` or `1e3`, exactly.
//!
//! Every result is that of Go's `resource.Quantity` in Kubernetes 1.36, its quirks included, because an API server has
//! already accepted, compared and printed the same text with it (contract 2.6). `tests/it/quantity.rs` compares the two on
//! generated text.
//!
//! This module knows nothing of personas, resources or limits. Its arithmetic is limited to what sums over nodes need.
//!
//! # How much work a text may cause
//!
//! A quantity that people write is an `i64` and a power of ten: nothing is allocated to read, compare or print it. Longer ones
//! keep their decimal digits. Reading, comparing and printing cost time and memory proportional to the length of the text,
//! whatever its exponent says, since a power of ten is never written out.
//!
//! Go does write it out, so on exponents in the millions it needs minutes, gigabytes, or panics. The answers here are:
//!
//! - Where Go accepts and prints such text quickly (at most 18 digits and no rounding), the answer is Go's, with the
//!   wrap-around of its 32-bit exponent: `1000e2147483647` prints `1e-2147483646`. Comparison, which Go cannot finish, orders
//!   by the mantissa and exponent that Go holds.
//! - Where Go cannot even finish reading, the number is what the text says, without any wrap-around of the exponent once it is
//!   read: `1e-2147483647` is rounded up to `1n`, and 19 digits with `e2147483647` are above one digit with it, where Go panics
//!   or would wrap around to `1n`.
//!
//! Start reading at [`Quantity::parse`].

mod parse;
mod print;
mod sum;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

pub use sum::Sum;

/// A parsed quantity. It compares by value (`1Gi` equals `1024Mi`) and prints in the family that it was written in.
#[derive(Clone, Debug)]
pub struct Quantity {
    number: Number,
    family: Family,
    /// The text as written, where it is printed verbatim and the canonical form would differ from it.
    echo: Option<Box<Echo>>,
}

/// In a box of its own, since it is rare and every persona holds four quantities.
#[derive(Clone, Debug)]
struct Echo(Box<str>);

impl Echo {
    fn of(text: &str) -> Box<Echo> {
        Box::new(Echo(text.into()))
    }
}

/// Why a text is not a quantity. The messages are Go's, word for word: people search for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text is not in the format of a quantity: `abc`, `1 Gi`, `1,5`, or empty.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// There is no digit. Go, and so we, read a missing number as zero in most places (`m`, `.`), but not before `Pi`, `Ei` or
    /// an exponent below -9.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The text after the number has the letters of a suffix and is none: `1K`, `1e`, `1i`.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    /// Whether the value is zero, however it was written (`0`, `0m`, `-0.000Gi`).
    pub fn is_zero(&self) -> bool {
        self.number.sign() == Ordering::Equal
    }

    /// Its memory outside of itself, in bytes.
    pub(super) fn heap(&self) -> usize {
        let number = match &self.number {
            Number::Small { .. } => 0,
            Number::Large(large) => size_of::<Large>() + large.digits.len(),
        };
        let echo = self.echo.as_ref().map_or(0, |echo| size_of::<Echo>() + echo.0.len());
        number + echo
    }

    /// Whether the value is below zero.
    pub fn is_negative(&self) -> bool {
        self.number.sign() == Ordering::Less
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

/// The family of suffixes that a quantity is printed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `n u m "" k M G T P E`
    Decimal,
    /// `e3`
    Exponent,
    /// `Ki Mi Gi Ti Pi Ei`. Held only by zero and by integers of at least 1024 in magnitude, which are
    /// [`Number::Small`] with scale 0; Go prints all other binary values in the decimal family.
    Binary,
}

/// A value. One value may have several representations.
#[derive(Clone, Debug)]
enum Number {
    /// `mantissa × 10^scale`
    Small { mantissa: i64, scale: i32 },
    /// A value that does not fit there.
    Large(Box<Large>),
}

/// `±digits × 10^exponent`; decimal digits without zeros at either end, at least one.
#[derive(Clone, Debug)]
struct Large {
    negative: bool,
    digits: Box<str>,
    exponent: i64,
}

impl Number {
    const ZERO: Number = Number::Small { mantissa: 0, scale: 0 };

    /// The sign of the value.
    fn sign(&self) -> Ordering {
        match self {
            Number::Small { mantissa, .. } => mantissa.cmp(&0),
            Number::Large(large) if large.negative => Ordering::Less,
            Number::Large(_) => Ordering::Greater,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let sign = self.sign();
        match sign.cmp(&other.sign()) {
            Ordering::Equal => {}
            unequal => return unequal,
        }
        match sign {
            Ordering::Equal => Ordering::Equal,
            Ordering::Greater => self.cmp_magnitude(other),
            Ordering::Less => other.cmp_magnitude(self),
        }
    }

    /// Compares without regard to sign. Neither number may be zero.
    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        match (self, other) {
            (
                &Number::Small {
                    mantissa: a,
                    scale: a_scale,
                },
                &Number::Small {
                    mantissa: b,
                    scale: b_scale,
                },
            ) => {
                if a_scale >= b_scale {
                    cmp_shifted(a.unsigned_abs(), a_scale.abs_diff(b_scale), b.unsigned_abs())
                } else {
                    cmp_shifted(b.unsigned_abs(), b_scale.abs_diff(a_scale), a.unsigned_abs()).reverse()
                }
            }
            _ => {
                let (mut a_buffer, mut b_buffer) = ([0; U64_DIGITS], [0; U64_DIGITS]);
                cmp_digits(self.digits(&mut a_buffer), other.digits(&mut b_buffer))
            }
        }
    }

    /// The magnitude as decimal digits, the first of which is not 0, and a power of ten.
    fn digits<'a>(&'a self, buffer: &'a mut [u8; U64_DIGITS]) -> (&'a [u8], i64) {
        match self {
            Number::Small { mantissa, scale } => (decimal_digits(mantissa.unsigned_abs(), buffer), i64::from(*scale)),
            Number::Large(large) => (large.digits.as_bytes(), large.exponent),
        }
    }
}

/// How many decimal digits the largest `u64` has.
const U64_DIGITS: usize = 20;

/// Compares `a × 10^shift` with `b`, for an `a` that is not zero.
fn cmp_shifted(a: u64, shift: u32, b: u64) -> Ordering {
    match 10_u128
        .checked_pow(shift)
        .and_then(|factor| factor.checked_mul(u128::from(a)))
    {
        Some(shifted) => shifted.cmp(&u128::from(b)),
        // Too large for a u128, so above any u64.
        None => Ordering::Greater,
    }
}

/// Compares two `digits × 10^exponent`, of which the first digits are not 0.
fn cmp_digits((a, a_exponent): (&[u8], i64), (b, b_exponent): (&[u8], i64)) -> Ordering {
    let highest_place = |digits: &[u8], exponent: i64| exponent.saturating_add_unsigned(digits.len() as u64);
    highest_place(a, a_exponent)
        .cmp(&highest_place(b, b_exponent))
        .then_with(|| {
            let common = a.len().min(b.len());
            let more = |digits: &[u8]| digits[common..].iter().any(|&digit| digit != b'0');
            a[..common].cmp(&b[..common]).then_with(|| more(a).cmp(&more(b)))
        })
}

/// Writes the decimal digits of a number to the end of the buffer and returns that part of it.
fn decimal_digits(mut number: u64, buffer: &mut [u8; U64_DIGITS]) -> &[u8] {
    let mut start = buffer.len();
    while number > 0 {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    &buffer[start..]
}
