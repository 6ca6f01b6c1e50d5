//! Decides the meaning of unquoted scalars by YAML 1.1, as `kubectl` does, so that a manifest means the same in a file as in
//! `kubectl apply`.

use serde_json::Number;

use super::Content;

/// The meaning of a plain scalar without a tag.
///
/// # Errors
/// A number that JSON cannot hold (`.inf`, `.nan`).
pub(super) fn resolve(text: &str) -> Result<Content, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Content::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Content::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Content::Bool(false),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => {
            return Err(format!(
                "{text} is not a number that a manifest can hold; quote it if it is text"
            ));
        }
        _ => number(text).map_or_else(|| Content::Text(text.to_owned()), Content::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    // Underscores are allowed anywhere, but after a leading point only between digits.
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    let good = |index: usize| index > 0 && digit(index - 1) && digit(index + 1);
    if text.starts_with('.') && !text.match_indices('_').all(|(index, _)| good(index)) {
        return None;
    }
    let plain = text.replace('_', "");
    integer(&plain).or_else(|| float(&plain))
}

/// An integer in base 2 (`0b`), 8 (`0o` or just `0`), 10 or 16 (`0x`).
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // A second sign is not a digit, though from_str_radix accepts it.
    if !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    match (negative, text.starts_with('+')) {
        (true, _) => 0_i64.checked_sub_unsigned(magnitude).map(Number::from),
        (false, true) => i64::try_from(magnitude).ok().map(Number::from),
        (false, false) => Some(Number::from(magnitude)),
    }
}

/// `1.5`, `.5`, `1.`, `1e3`: digits on at least one side of the point, an optional exponent, and finite. A whole float is an
/// integer once `kubectl` has written it as JSON.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let good = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent));
    if !good {
        return None;
    }
    let float: f64 = text.parse().ok()?;
    // 2^63. Every whole number below it fits an i64.
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if float.fract() == 0.0 && (-BOUND..BOUND).contains(&float) {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within bounds, so exact")]
        return Some(Number::from(float as i64));
    }
    Number::from_f64(float)
}
