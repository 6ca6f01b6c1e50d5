//! Prints a [`Quantity`] as Go's `String()` does right after parsing: as it was written where Go keeps the text, otherwise
//! in canonical form.

use std::fmt;

use super::{Family, Number, Quantity};

/// Prints the quantity as written where Go does so, otherwise in canonical form: an integer with the largest suffix of
/// its family that leaves one.
///
/// Go's canonical form is wrong above the largest decimal suffix: `1000E` prints `1`, since there is no suffix for
/// 10^21 and Go then leaves it out. So does this, for the sake of one answer; comparison is not affected.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(echo) = &self.echo {
            return f.write_str(&echo.0);
        }
        match (&self.number, self.family) {
            (Number::Small { mantissa: 0, .. }, _) => f.write_str("0"),
            (&Number::Small { mantissa, .. }, Family::Binary) => binary(f, mantissa),
            (&Number::Small { mantissa, scale }, family) => {
                let (mut mantissa, mut exponent) = (mantissa, scale);
                while mantissa % 10 == 0 {
                    mantissa /= 10;
                    // Go counts in 32 bits and may wrap around.
                    exponent = exponent.wrapping_add(1);
                }
                let pad = exponent.rem_euclid(3);
                let exponent = exponent.wrapping_sub(pad);
                write!(f, "{mantissa}{}", zeros(pad.into()))?;
                decimal_suffix(f, family, exponent.into())
            }
            (Number::Large(large), family) => {
                let sign = if large.negative { "-" } else { "" };
                let pad = large.exponent.rem_euclid(3);
                write!(f, "{sign}{}{}", large.digits, zeros(pad))?;
                decimal_suffix(f, family, large.exponent - pad)
            }
        }
    }
}

/// The zeros that bring an exponent down to a multiple of 3.
fn zeros(pad: i64) -> &'static str {
    match pad {
        0 => "",
        1 => "0",
        _ => "00",
    }
}

fn decimal_suffix(f: &mut fmt::Formatter<'_>, family: Family, exponent: i64) -> fmt::Result {
    match (family, exponent) {
        (_, 0) => Ok(()),
        (Family::Exponent, _) => write!(f, "e{exponent}"),
        (_, -9) => f.write_str("n"),
        (_, -6) => f.write_str("u"),
        (_, -3) => f.write_str("m"),
        (_, 3) => f.write_str("k"),
        (_, 6) => f.write_str("M"),
        (_, 9) => f.write_str("G"),
        (_, 12) => f.write_str("T"),
        (_, 15) => f.write_str("P"),
        (_, 18) => f.write_str("E"),
        // Go has no suffix for it and prints none.
        _ => Ok(()),
    }
}

fn binary(f: &mut fmt::Formatter<'_>, mut integer: i64) -> fmt::Result {
    // An i64 that is not zero can be divided six times at most.
    let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
    let mut suffix = suffixes.next();
    while integer % 1024 == 0 {
        integer /= 1024;
        suffix = suffixes.next();
    }
    write!(f, "{integer}{}", suffix.unwrap_or_default())
}
