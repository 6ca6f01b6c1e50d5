//! Adds quantities of nodes and pods, multiplies them, and computes percentages.
//!
//! Results are exact to a nano for values below 10^29. Larger values are capped there, since no machine has as much.

use super::{Family, Large, Number, Quantity};

/// Nanos in one.
const ONE: i128 = 1_000_000_000;
/// Decimal places that a nano has.
const PLACES: i64 = 9;

/// A growing sum, printed in the family of the first addend that is not zero, as by Go's `Add` (contract 4.3): `4` + `3800m` is
/// `7800m`, `16374256Ki` twice is `32748512Ki`, an empty sum is `0`.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    nanos: i128,
    family: Option<Family>,
}

impl Sum {
    /// Adds one more.
    pub fn add(&mut self, addend: &Quantity) {
        if self.nanos == 0 {
            self.family = Some(addend.family);
        }
        self.nanos = self.nanos.saturating_add(addend.nanos());
    }

    /// The sum so far.
    pub fn total(&self) -> Quantity {
        Quantity::of_nanos(self.nanos, self.family.unwrap_or(Family::Decimal))
    }
}

impl<'a> Extend<&'a Quantity> for Sum {
    fn extend<I: IntoIterator<Item = &'a Quantity>>(&mut self, addends: I) {
        addends.into_iter().for_each(|addend| self.add(addend));
    }
}

impl<'a> FromIterator<&'a Quantity> for Sum {
    fn from_iter<I: IntoIterator<Item = &'a Quantity>>(addends: I) -> Sum {
        let mut sum = Sum::default();
        sum.extend(addends);
        sum
    }
}

impl Quantity {
    /// How many whole percent of `whole` this is, truncated, as in `kubectl describe node`. `None` where `whole` is not
    /// positive.
    pub fn percent_of(&self, whole: &Quantity) -> Option<i128> {
        let (part, whole) = (self.nanos(), whole.nanos());
        let percent = || {
            let exact = part.checked_mul(100).map(|part| part / whole);
            exact.unwrap_or_else(|| part / (whole / 100).max(1))
        };
        (whole > 0).then(percent)
    }

    /// `count` times this quantity.
    pub fn times(&self, count: usize) -> Quantity {
        if count == 1 {
            return self.clone();
        }
        let count = i128::try_from(count).unwrap_or(i128::MAX);
        Quantity::of_nanos(self.nanos().saturating_mul(count), self.family)
    }

    /// Whether it is a whole number of units, as a number of bytes has to be.
    pub fn is_whole(&self) -> bool {
        // With this many digits, a fraction does not matter.
        let nanos = self.nanos();
        nanos.saturating_abs() == i128::MAX || nanos % ONE == 0
    }

    /// The value without its fraction.
    pub fn whole(&self) -> i128 {
        self.nanos() / ONE
    }

    /// The value in nanos. No parsed quantity is finer.
    fn nanos(&self) -> i128 {
        let (negative, magnitude, exponent) = match &self.number {
            Number::Small { mantissa, scale } => (
                *mantissa < 0,
                Some(i128::from(mantissa.unsigned_abs())),
                i64::from(*scale),
            ),
            Number::Large(large) => (large.negative, large.digits.parse().ok(), large.exponent),
        };
        let magnitude = match (magnitude, exponent.saturating_add(PLACES)) {
            (Some(0), _) => 0,
            (Some(magnitude), places @ 0..) => {
                let factor = u32::try_from(places)
                    .ok()
                    .and_then(|places| 10_i128.checked_pow(places));
                factor
                    .and_then(|factor| magnitude.checked_mul(factor))
                    .unwrap_or(i128::MAX)
            }
            // With this many digits, the fraction does not matter.
            (None, _) => i128::MAX,
            (Some(magnitude), places) => {
                let factor = u32::try_from(-places)
                    .ok()
                    .and_then(|places| 10_i128.checked_pow(places));
                factor.map_or(0, |factor| magnitude / factor)
            }
        };
        if negative { -magnitude } else { magnitude }
    }

    fn of_nanos(nanos: i128, family: Family) -> Quantity {
        let whole = i64::try_from(nanos / ONE).ok().filter(|_| nanos % ONE == 0);
        let (number, family) = match whole {
            // Below 1024 and for fractions Go leaves the binary family.
            Some(whole) if family != Family::Binary || whole.unsigned_abs() >= 1024 => (
                Number::Small {
                    mantissa: whole,
                    scale: 0,
                },
                family,
            ),
            _ => {
                let family = if family == Family::Binary {
                    Family::Decimal
                } else {
                    family
                };
                (decimal(nanos), family)
            }
        };
        Quantity {
            number,
            family,
            echo: None,
        }
    }
}

/// A number of nanos without trailing zeros.
fn decimal(nanos: i128) -> Number {
    if nanos == 0 {
        return Number::ZERO;
    }
    let (mut rest, mut exponent) = (nanos, -PLACES);
    while rest % 10 == 0 {
        rest /= 10;
        exponent += 1;
    }
    match (i64::try_from(rest), i32::try_from(exponent)) {
        (Ok(mantissa), Ok(scale)) => Number::Small { mantissa, scale },
        _ => Number::Large(Box::new(Large {
            negative: rest < 0,
            digits: rest.unsigned_abs().to_string().into_boxed_str(),
            exponent,
        })),
    }
}
