//! Parses a [`Quantity`]: which texts are accepted, how they are capped and rounded, and which are later printed verbatim.
//!
//! As in Go, a text is parsed in a quick way or in a long way, and the result shows which way was taken: only the quick way
//! keeps a text verbatim, only the long way rounds, caps, and requires a digit.

use super::{Echo, Family, Large, Number, Quantity, QuantityError, U64_DIGITS};

/// This many decimal digits always fit an `i64`.
const QUICK_DIGITS: usize = 18;

/// The power of ten of the finest value, one nano. Finer values are rounded up, away from zero.
const NANO: i32 = -9;
/// The power of ten of the finest value that is stored in resources, one thousandth.
const MILLI: i32 = -3;

impl Quantity {
    /// The quantity that an API server stores in the resources of a container: thousandths are the finest, and what is finer is
    /// rounded away from zero.
    #[must_use]
    pub fn stored(&self) -> Quantity {
        let mut buffer = [0; U64_DIGITS];
        let (digits, mut exponent) = self.number.digits(&mut buffer);
        if self.is_zero() || exponent >= i64::from(MILLI) {
            return self.clone();
        }
        let digits = String::from_utf8_lossy(digits);
        let mut rounded = digits.trim_end_matches('0').to_owned();
        exponent += (digits.len() - rounded.len()) as i64;
        if exponent >= i64::from(MILLI) {
            return self.clone();
        }
        round_up(&mut rounded, &mut exponent, MILLI);
        Quantity {
            number: number(self.is_negative(), rounded, exponent),
            family: self.family,
            echo: None,
        }
    }

    /// Reads a quantity. There is no trimming: a space before or after the text is an error, and so is an empty text.
    ///
    /// # Errors
    ///
    /// What Go's `ParseQuantity` rejects, with the same message.
    pub fn parse(text: &str) -> Result<Quantity, QuantityError> {
        let parts = Parts::split(text)?;
        match Suffix::read(parts.suffix)? {
            Suffix::Ten { power, family } => decimal(text, &parts, power, family),
            Suffix::Two { power } => binary(text, &parts, power),
        }
    }
}

/// The parts of a text that has the form of a quantity.
struct Parts<'a> {
    negative: bool,
    /// Digits before the dot, without leading zeros.
    integer: &'a str,
    /// Digits after the dot.
    fraction: &'a str,
    suffix: &'a str,
    /// Whether there is a digit at all, be it a leading zero.
    has_digit: bool,
    /// No plus sign, no leading zero and no dot: printing the number loses nothing.
    plain: bool,
}

impl<'a> Parts<'a> {
    /// Splits a text; a rest makes it malformed. The boundaries are beside ASCII characters, so slices are cut between
    /// characters.
    fn split(text: &'a str) -> Result<Self, QuantityError> {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Err(QuantityError::Format);
        }
        let run = |start: usize, wanted: fn(&u8) -> bool| {
            start + bytes[start..].iter().take_while(|byte| wanted(byte)).count()
        };
        let sign = bytes.first().copied().filter(|byte| matches!(byte, b'+' | b'-'));
        let zeros = usize::from(sign.is_some());
        let integer = run(zeros, |byte| *byte == b'0');
        let integer_end = run(integer, u8::is_ascii_digit);
        let dot = bytes.get(integer_end) == Some(&b'.');
        let fraction = integer_end + usize::from(dot);
        let suffix = if dot {
            run(fraction, u8::is_ascii_digit)
        } else {
            fraction
        };
        let suffix_sign = run(suffix, |byte| b"eEinumkKMGTP".contains(byte));
        let suffix_digits = suffix_sign + usize::from(matches!(bytes.get(suffix_sign), Some(b'+' | b'-')));
        if run(suffix_digits, u8::is_ascii_digit) != bytes.len() {
            return Err(QuantityError::Format);
        }
        Ok(Parts {
            negative: sign == Some(b'-'),
            integer: &text[integer..integer_end],
            fraction: &text[fraction..suffix],
            suffix: &text[suffix..],
            has_digit: zeros < integer_end || fraction < suffix,
            plain: sign != Some(b'+') && zeros == integer && !dot,
        })
    }

    /// How many digits Go counts: it puts a 0 where there is nothing before the dot.
    fn integer_length(&self) -> usize {
        self.integer.len().max(1)
    }

    fn signed(&self, magnitude: i64) -> i64 {
        if self.negative { -magnitude } else { magnitude }
    }
}

/// The factor of a number.
enum Suffix {
    Ten { power: i32, family: Family },
    Two { power: u32 },
}

impl Suffix {
    fn read(text: &str) -> Result<Self, QuantityError> {
        let ten = |power| Suffix::Ten {
            power,
            family: Family::Decimal,
        };
        Ok(match text {
            "" => ten(0),
            "n" => ten(-9),
            "u" => ten(-6),
            "m" => ten(-3),
            "k" => ten(3),
            "M" => ten(6),
            "G" => ten(9),
            "T" => ten(12),
            "P" => ten(15),
            "E" => ten(18),
            "Ki" => Suffix::Two { power: 10 },
            "Mi" => Suffix::Two { power: 20 },
            "Gi" => Suffix::Two { power: 30 },
            "Ti" => Suffix::Two { power: 40 },
            "Pi" => Suffix::Two { power: 50 },
            "Ei" => Suffix::Two { power: 60 },
            _ => {
                let exponent = text.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
                let exponent: i64 = exponent.parse().map_err(|_not_an_i64| QuantityError::Suffix)?;
                // Go keeps the low 32 bits: 1e4294967299 is 1e3.
                Suffix::Ten {
                    power: exponent as i32,
                    family: Family::Exponent,
                }
            }
        })
    }
}

/// Reads a number of the decimal and exponent families.
fn decimal(text: &str, parts: &Parts<'_>, power: i32, family: Family) -> Result<Quantity, QuantityError> {
    // Go subtracts in 32 bits. Below the smallest i32 that makes a large number of a small one.
    let scale = power.wrapping_sub(parts.fraction.len() as i32);
    if parts.integer_length() + parts.fraction.len() <= QUICK_DIGITS && scale >= NANO {
        let mantissa = fold(parts.fraction, fold(parts.integer, 0)) as i64;
        let verbatim = scale % 3 == 0 && mantissa % 1000 != 0 && !parts.integer.is_empty();
        // A plain number is verbatim and canonical at once, but an exponent has many spellings (e3, E3, e+03).
        let echo = verbatim && !(parts.plain && family == Family::Decimal);
        return Ok(Quantity {
            number: Number::Small {
                mantissa: parts.signed(mantissa),
                scale,
            },
            family,
            echo: echo.then(|| Echo::of(text)),
        });
    }
    if !parts.has_digit {
        return Err(QuantityError::Numeric);
    }
    Ok(Quantity {
        number: round_up_to_nano(parts, power),
        family,
        echo: None,
    })
}

/// The value of a decimal number of any length and exponent.
fn round_up_to_nano(parts: &Parts<'_>, power: i32) -> Number {
    let mut exponent = i64::from(power) - parts.fraction.len() as i64;
    let mut digits = [parts.integer, parts.fraction].concat();
    if parts.integer.is_empty() {
        digits = digits.trim_start_matches('0').to_owned();
    }
    let significant = digits.trim_end_matches('0').len();
    if significant == 0 {
        return Number::ZERO;
    }
    exponent += (digits.len() - significant) as i64;
    digits.truncate(significant);
    round_up(&mut digits, &mut exponent, NANO);
    number(parts.negative, digits, exponent)
}

/// Rounds digits without zeros at either end away from zero, to a multiple of `10^finest`.
fn round_up(digits: &mut String, exponent: &mut i64, finest: i32) {
    let too_fine = i64::from(finest) - *exponent;
    if too_fine <= 0 {
        return;
    }
    let kept = usize::try_from(too_fine).unwrap_or(usize::MAX);
    digits.truncate(digits.len().saturating_sub(kept));
    *exponent = i64::from(finest);
    // What was cut off ended in a digit other than 0, so there is always something to round up.
    loop {
        match digits.pop() {
            Some('9') => *exponent += 1,
            Some(digit) => {
                digits.push(char::from(digit as u8 + 1));
                break;
            }
            None => {
                digits.push('1');
                break;
            }
        }
    }
}

/// The smallest form of a number given as digits without zeros at either end.
fn number(negative: bool, digits: String, exponent: i64) -> Number {
    match i32::try_from(exponent) {
        Ok(scale) if digits.len() <= QUICK_DIGITS => {
            let mantissa = fold(&digits, 0) as i64;
            Number::Small {
                mantissa: if negative { -mantissa } else { mantissa },
                scale,
            }
        }
        _ => Number::Large(Box::new(Large {
            negative,
            digits: digits.into_boxed_str(),
            exponent,
        })),
    }
}

/// Reads a number of the binary family.
fn binary(text: &str, parts: &Parts<'_>, power: u32) -> Result<Quantity, QuantityError> {
    // Go takes 10 bits for 3 digits. This is why there is no quick way for Pi and Ei.
    if parts.fraction.is_empty() && parts.integer_length() + (power as usize / 10 * 3) < 15 {
        let integer = fold(parts.integer, 0) as i64;
        let echo = integer % 8 != 0 && !parts.plain;
        return Ok(Quantity {
            number: Number::Small {
                mantissa: parts.signed(integer << power),
                scale: 0,
            },
            family: Family::Binary,
            echo: echo.then(|| Echo::of(text)),
        });
    }
    if !parts.has_digit {
        return Err(QuantityError::Numeric);
    }
    let (whole, nanos) = capped(parts, power);
    if nanos == 0 {
        let family = if whole < 1024 { Family::Decimal } else { Family::Binary };
        return Ok(Quantity {
            number: Number::Small {
                mantissa: parts.signed(whole),
                scale: 0,
            },
            family,
            echo: None,
        });
    }
    let digits = format!("{whole}{nanos:09}");
    let significant = digits.trim_end_matches('0').len();
    let exponent = i64::from(NANO) + (digits.len() - significant) as i64;
    let digits = digits[..significant].trim_start_matches('0').to_owned();
    Ok(Quantity {
        number: number(parts.negative, digits, exponent),
        family: Family::Decimal,
        echo: None,
    })
}

/// The magnitude of a binary number as an integer and billionths: `i64::MAX` at most, else rounded up.
fn capped(parts: &Parts<'_>, power: u32) -> (i64, u32) {
    const CAP: (i64, u32) = (i64::MAX, 0);
    const LIMB_DIGITS: usize = 18;
    const LIMB: u128 = 10_u128.pow(LIMB_DIGITS as u32);
    const LIMBS: usize = 4;

    // With 20 digits it is above the cap; with fewer, shifted by 60 bits at most, it fits a u128.
    if parts.integer.len() > 19 {
        return CAP;
    }
    let mut whole = u128::from(fold(parts.integer, 0)) << power;

    // The fraction is shifted 18 digits at a time. 72 digits are enough to be exact: whether the product reaches a
    // billionth is decided by the first 9 + power ≤ 69 digits, since 10^(9 + power) / (10^9 × 2^power) is an integer;
    // digits behind them only add something that is rounded up.
    let head = parts.fraction.len().min(LIMBS * LIMB_DIGITS);
    let (head, tail) = parts.fraction.split_at(head);
    let mut limbs = [0; LIMBS];
    for (limb, digits) in limbs.iter_mut().zip(head.as_bytes().chunks(LIMB_DIGITS)) {
        *limb = digits
            .iter()
            .fold(0, |value, digit| value * 10 + u128::from(digit - b'0'));
        *limb *= 10_u128.pow((LIMB_DIGITS - digits.len()) as u32);
    }
    let mut carry = 0;
    for limb in limbs.iter_mut().rev() {
        let shifted = (*limb << power) + carry;
        *limb = shifted % LIMB;
        carry = shifted / LIMB;
    }
    whole += carry;

    let [first, rest @ ..] = limbs;
    const BILLION: u128 = 1_000_000_000;
    let mut nanos = first / BILLION;
    if first % BILLION != 0 || rest != [0; LIMBS - 1] || tail.bytes().any(|digit| digit != b'0') {
        nanos += 1;
    }
    whole += nanos / BILLION;
    nanos %= BILLION;
    match i64::try_from(whole) {
        Ok(whole) if whole < i64::MAX => (whole, nanos as u32),
        _ => CAP,
    }
}

/// Appends decimal digits to a number. The caller ensures that they fit: at most 19 in all.
fn fold(digits: &str, start: u64) -> u64 {
    digits
        .bytes()
        .fold(start, |value, digit| value * 10 + u64::from(digit - b'0'))
}
