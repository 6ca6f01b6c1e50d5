//! Tables of Go's results, and properties of the order and of the printed form. The large comparison with Go itself is
//! `tests/it/quantity.rs`.

mod generated;

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use super::{Number, Quantity, QuantityError, Sum};

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// Each text and what it prints as.
fn check_printed(cases: &[(&str, &str)]) {
    for (text, printed) in cases {
        assert_eq!(quantity(text).to_string(), *printed, "{text:?}");
    }
}

/// Texts from the smallest to the largest; those of one line are equal.
fn check_order(lines: &[&[&str]]) {
    for (a_line, a) in lines
        .iter()
        .enumerate()
        .flat_map(|(line, texts)| texts.iter().map(move |text| (line, text)))
    {
        for (b_line, b) in lines
            .iter()
            .enumerate()
            .flat_map(|(line, texts)| texts.iter().map(move |text| (line, text)))
        {
            assert_eq!(quantity(a).cmp(&quantity(b)), a_line.cmp(&b_line), "{a} against {b}");
        }
    }
}

#[test]
fn canonical_form_follows_the_contract() {
    check_printed(&[
        ("2000m", "2"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1500m", "1500m"),
        ("100000m", "100"),
        ("0.5m", "500u"),
        ("0.0001", "100u"),
        ("0", "0"),
        ("0m", "0"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("2.5Gi", "2560Mi"),
        ("0.5Ki", "512"),
        ("2048Ki", "2Mi"),
        ("1000Mi", "1000Mi"),
        ("1.2Mi", "1258291200m"),
        ("1.1Gi", "1181116006400m"),
        ("1000", "1k"),
        ("1000000", "1M"),
        ("1000M", "1G"),
        ("1.5G", "1500M"),
        ("128974848", "128974848"),
        ("129e6", "129e6"),
        ("1E3", "1E3"),
        ("1e-3", "1e-3"),
    ]);
}

#[test]
fn some_texts_are_echoed_as_written() {
    check_printed(&[
        ("1.500", "1.500"),
        ("+2", "+2"),
        ("1.", "1."),
        ("007", "007"),
        ("-01.250", "-01.250"),
        ("1E+03", "1E+03"),
        ("1e0", "1e0"),
        ("+1Ki", "+1Ki"),
        ("1.Ki", "1.Ki"),
        ("007Mi", "007Mi"),
        ("-1Gi", "-1Gi"),
        ("+4Ki", "+4Ki"),
        ("+12345678901Ki", "+12345678901Ki"),
        ("+123456789012345678", "+123456789012345678"),
    ]);
}

#[test]
fn echo_ends_where_go_ends_it() {
    check_printed(&[
        // the exponent is not a multiple of 3
        ("+1.5", "1500m"),
        ("1e4", "10e3"),
        ("1e-1", "100e-3"),
        // three zeros at the end, or nothing before the dot
        ("+2000", "2k"),
        ("1000e-3", "1"),
        ("1.000", "1"),
        (".500", "500m"),
        ("0.500", "500m"),
        // a multiple of 8, a fraction, or too many digits for the quick way
        ("+8Ki", "8Ki"),
        ("1.0Ki", "1Ki"),
        ("+123456789012Ki", "123456789012Ki"),
        ("+1Pi", "1Pi"),
        ("+1234567890123456789", "1234567890123456789"),
        // rounded
        ("+1.0000000005", "1000000001n"),
    ]);
}

#[test]
fn values_are_rounded_away_from_zero_at_a_nano() {
    check_printed(&[
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("1e-10", "1e-9"),
        ("1.0000000001", "1000000001n"),
        ("-1.9999999999", "-2"),
        ("1.9999999999999Ki", "2Ki"),
        ("0.00000000000001Ki", "1n"),
        // 5^60 / 10^69 Ei is a nano exactly, and the last of the 69 digits decides
        (
            "0.000000000000000000000000000867361737988403547205962240695953369140624Ei",
            "1n",
        ),
        (
            "0.000000000000000000000000000867361737988403547205962240695953369140625Ei",
            "1n",
        ),
        (
            "0.000000000000000000000000000867361737988403547205962240695953369140626Ei",
            "2n",
        ),
        (
            "1.00000000000000000000000000000000000000000000000000000000000000000000000000000000001Ki",
            "1024000000001n",
        ),
    ]);
}

#[test]
fn only_the_binary_family_is_capped() {
    check_printed(&[
        ("8Ei", "9223372036854775807"),
        ("-9Ei", "-9223372036854775807"),
        ("8191.9999999999999999999Pi", "9223372036854775807"),
        (
            "7.999999999999999999132638262011596452794037759304046630859375Ei",
            "9223372036854775807",
        ),
        ("100000000000000000000Ki", "9223372036854775807"),
        ("9007199254740991.9990234375Ki", "9223372036854775807"),
        ("9007199254740991.998046875Ki", "9223372036854775806"),
        ("9007199254740991.998046875000001Ki", "9223372036854775806000000001n"),
        ("7Ei", "7Ei"),
        ("9223372036854775808", "9223372036854775808"),
        ("10E", "10E"),
        ("12345678901234567890123", "12345678901234567890123"),
    ]);
}

#[test]
fn canonical_form_lacks_a_suffix_above_exa_as_go_does() {
    check_printed(&[
        ("1000E", "1"),
        ("1000000000000000000000", "1"),
        ("999E", "999E"),
        ("1000e18", "1e21"),
    ]);
}

#[test]
fn binary_values_that_are_small_or_broken_are_printed_in_the_decimal_family() {
    check_printed(&[
        ("0.9990234375Ki", "1023"),
        ("-0.5Ki", "-512"),
        ("0.1Ki", "102400m"),
        ("1.0009765625Ki", "1025"),
        ("0.0000001Ki", "102400n"),
        ("0.00Ki", "0"),
        ("1024Ti", "1Pi"),
        ("1048576Ti", "1Ei"),
    ]);
}

#[test]
fn a_missing_number_is_zero_where_go_says_so() {
    check_printed(&[
        ("+", "0"),
        ("-", "0"),
        (".", "0"),
        ("m", "0"),
        (".Ki", "0"),
        ("Ti", "0"),
        ("e-9", "0"),
        ("0Pi", "0"),
    ]);
    for text in ["Pi", "Ei", "-Ei", "e-10", ".e-10", "+e-2147483648"] {
        assert_eq!(Quantity::parse(text).unwrap_err(), QuantityError::Numeric, "{text:?}");
    }
}

#[test]
fn exponents_keep_their_low_32_bits() {
    check_printed(&[
        ("1e4294967301", "100e3"),
        ("1e4294967296", "1e4294967296"),
        ("2000e4294967296", "2e3"),
        ("1e9223372036854775807", "100e-3"),
        ("5e-9223372036854775808", "5e-9223372036854775808"),
        ("1e0000000000000000000000000000000000000004", "10e3"),
        // quick in Go, although it could not compare them
        ("10e2147483647", "10e2147483647"),
        ("1000e2147483647", "1e-2147483646"),
        ("1.5e-2147483648", "150e2147483646"),
    ]);
    for text in ["1e9223372036854775808", "1e-9223372036854775809"] {
        assert_eq!(Quantity::parse(text).unwrap_err(), QuantityError::Suffix, "{text:?}");
    }
}

#[test]
fn malformed_texts_are_refused_in_the_words_of_go() {
    let format = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    let suffix = "unable to parse quantity's suffix";
    for (text, message) in [
        ("", format),
        ("abc", format),
        ("1gi", format),
        ("1Gb", format),
        ("1 Gi", format),
        (" 1", format),
        ("1\n", format),
        ("1,5", format),
        ("1.2.3", format),
        ("1+1+", format),
        ("1e1.5", format),
        ("1µ", format),
        ("１", format),
        ("\0", format),
        ("1K", suffix),
        ("1i", suffix),
        ("1e", suffix),
        ("1e+", suffix),
        ("1ee5", suffix),
        ("1mm", suffix),
        ("5-3", suffix),
        ("--1", suffix),
        ("Pi", "unable to parse numeric part of quantity"),
    ] {
        assert_eq!(Quantity::parse(text).unwrap_err().to_string(), message, "{text:?}");
    }
}

#[test]
fn order_is_by_exact_value_across_units() {
    check_order(&[
        &["-1e2147483647", "-10e2147483646"],
        &["-123456789012345678901234567890"],
        &["-8Ei", "-9Ei", "-9223372036854775807"],
        &["-1Ki", "-1024", "-1.024k"],
        &["-1n", "-0.1n", "-1e-2147483647"],
        &["0", "-0", "0Gi", "0e40", "+.0", "0.000000000000000000000000"],
        &[
            "1n",
            "0.000000001",
            "1e-40",
            "1.2345678901234567890e-2147483648",
            ".123456789012345678e-2147483648",
        ],
        &["500m", "0.5", "5e-1", "500000u"],
        &["0.9999999995", "1", "1000m"],
        &["1.000000001"],
        &["2000m", "2", "2e0"],
        &["1000Mi"],
        &["1024Mi", "1Gi", "1073741824", "1.073741824G"],
        &["1073741824.000000001"],
        &["9223372036854775806"],
        &["9223372036854775807", "8Ei", "100Ei"],
        &["9223372036854775808"],
        &["10E", "10000000000000000000", "0.00000000001e30"],
        &["10000000000000000000.000000001"],
        &["123456789012345678901234567890"],
        &[
            "123456789012345678901234567891",
            "123456789012345678901234567890.999999999999",
        ],
        &["1e40", "10000000000000000000000e18"],
        &["1e2147483646"],
        &["1e2147483647", "10e2147483646"],
        &["1000e2147483647", "1000000000000000000000e2147483629"],
        &["1234567890123456789e2147483647"],
        &["12345678901234567890e2147483647"],
    ]);
}

#[test]
fn sign_and_zero_are_those_of_the_value() {
    for (text, sign) in [
        ("0", Ordering::Equal),
        ("-0.000Gi", Ordering::Equal),
        ("-1e-40", Ordering::Less),
        ("-12345678901234567890", Ordering::Less),
        ("1n", Ordering::Greater),
        ("12345678901234567890", Ordering::Greater),
    ] {
        let value = quantity(text);
        assert_eq!(value.is_zero(), sign == Ordering::Equal, "{text}");
        assert_eq!(value.is_negative(), sign == Ordering::Less, "{text}");
    }
}

#[test]
fn common_quantities_own_no_heap_memory() {
    for text in [
        "0",
        "1",
        "500m",
        "1500m",
        "0.5",
        "2000m",
        "512Mi",
        "1Gi",
        "1.5Gi",
        "100Ti",
        "1Pi",
        "-1",
        "999999999G",
    ] {
        let value = quantity(text);
        assert!(matches!(value.number, Number::Small { .. }), "{text}: {value:?}");
        assert!(value.echo.is_none(), "{text}: {value:?}");
    }
}

#[test]
fn hostile_text_costs_no_more_than_its_length() {
    let million = 1_000_000;
    let nines = "9".repeat(million);
    let texts = [
        nines.clone(),
        format!("-{nines}Ei"),
        format!("0.{nines}"),
        format!("7.{nines}Ei"),
        format!("{nines}e2147483647"),
        format!("{nines}e-2147483648"),
        format!("0.{nines}e-2147483648"),
        format!("0.{}1", "0".repeat(million)),
        format!("{}7", "0".repeat(million)),
        format!("1e{}5", "0".repeat(million)),
        "1e2147483647".to_owned(),
        "12345678901234567890e2147483647".to_owned(),
        "1e-2147483648".to_owned(),
    ];
    // The fastest of a few runs, so that a busy machine is not taken for slow code; this is a debug build, too.
    let fastest = (0..5)
        .map(|_| {
            let start = Instant::now();
            let values: Vec<_> = texts.iter().map(|text| quantity(text)).collect();
            for pair in values.windows(2) {
                assert_eq!(pair[0].cmp(&pair[1]), pair[1].cmp(&pair[0]).reverse());
            }
            let printed: usize = values.iter().map(|value| value.to_string().len()).sum();
            assert!(printed < 10 * million);
            start.elapsed()
        })
        .min();
    assert!(fastest < Some(Duration::from_secs(2)), "{fastest:?}");
    for text in ["1".repeat(million) + "x", "m".repeat(million), "1e".to_owned() + &nines] {
        assert!(Quantity::parse(&text).is_err());
    }
}
