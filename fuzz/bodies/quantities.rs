//! Properties of quantities.

use dorgu::policy::quantity::Quantity;

/// What is printed is read as the same value, and printed alike; reading two of them, each stands to the other as the
/// other to it. (`tests/it/quantity.rs` holds the values themselves against Go's.)
pub fn quantity(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let read = |text: &str| {
        let quantity = Quantity::parse(text).ok()?;
        let printed = quantity.to_string();
        let again = Quantity::parse(&printed).unwrap_or_else(|error| panic!("{text} printed as {printed}: {error}"));
        assert_eq!(again.to_string(), printed, "{text}");
        assert_eq!(again.is_zero(), quantity.is_zero(), "{text}");
        assert_eq!(again.is_negative(), quantity.is_negative(), "{text}");
        Some(quantity)
    };
    read(text);
    if let Some((left, right)) = text.split_once(' ')
        && let (Some(left), Some(right)) = (read(left), read(right))
    {
        assert_eq!(left.cmp(&right), right.cmp(&left).reverse(), "{text}");
        assert_eq!(left == right, left.cmp(&right).is_eq(), "{text}");
    }
}
