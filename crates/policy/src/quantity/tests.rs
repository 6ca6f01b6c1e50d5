//! Tables of Go's results, and properties of the order and of the printed form. The large comparison with Go itself is
//! `tests/it/quantity.rs`.

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use proptest::prelude::*;

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

/// Texts that are quantities, from all families.
fn valid() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        4 => "[+-]?[0-9]{1,6}",
        2 => "[+-]?[0-9]{1,24}",
        2 => "[+-]?[0-9]{1,12}\\.[0-9]{0,12}",
        1 => "[+-]?\\.[0-9]{1,30}",
    ];
    let suffix = prop_oneof![
        4 => "(n|u|m||k|M|G|T|P|E)",
        2 => "(Ki|Mi|Gi|Ti|Pi|Ei)",
        2 => "[eE][+-]?[0-9]{1,2}",
    ];
    (number, suffix).prop_map(|(number, suffix)| number + &suffix)
}

/// Texts that may be quantities.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[0-9.+eEinumkKMGTP -]{0,30}",
        "[+-]?[0-9.]{0,25}[eEinumkKMGTP]{0,3}[+-]?[0-9]{0,25}"
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_text_never_panics(text in any_text(), other in any_text()) {
        if let (Ok(value), Ok(other)) = (Quantity::parse(&text), Quantity::parse(&other)) {
            prop_assert_eq!(value.cmp(&other), other.cmp(&value).reverse());
            prop_assert!(!value.to_string().is_empty());
        }
    }

    #[test]
    fn order_is_total(a in valid(), b in valid(), c in valid()) {
        let mut values = [quantity(&a), quantity(&b), quantity(&c)];
        values.sort();
        let [a, b, c] = &values;
        prop_assert!(a <= b && b <= c && a <= c);
        prop_assert!(b >= a && c >= b && c >= a);
        prop_assert_eq!(a == c, a == b && b == c);
        prop_assert_eq!(a.cmp(a), Ordering::Equal);
    }

    #[test]
    fn order_is_that_of_the_integers(a in any::<i64>(), b in any::<i64>(), zeros in 0_usize..30) {
        let of = |number: i64| quantity(&format!("{number}{}", "0".repeat(zeros)));
        prop_assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
        prop_assert_eq!(of(a).cmp(&of(a.saturating_add(1))), a.cmp(&a.saturating_add(1)));
    }

    #[test]
    fn printed_form_reads_back_as_the_same_value(text in valid()) {
        let value = quantity(&text);
        // Above exa, the decimal family prints another number: see Display.
        prop_assume!(text.contains(['e', 'i']) || text.contains("E-") || value < quantity("1000E"));
        prop_assume!(text.contains(['e', 'i']) || text.contains("E-") || value > quantity("-1000E"));
        let printed = value.to_string();
        prop_assert_eq!(&quantity(&printed), &value, "{}", printed);
        prop_assert_eq!(quantity(&printed).to_string(), printed);
    }

    #[test]
    fn a_thousand_milli_are_one(number in "-?[1-9][0-9]{0,30}") {
        prop_assert_eq!(quantity(&format!("{number}000m")), quantity(&number));
        prop_assert_eq!(quantity(&format!("{number}k")), quantity(&format!("{number}000")));
        prop_assert_eq!(quantity(&format!("{number}.0")), quantity(&number));
    }

    #[test]
    fn a_suffix_is_1024_times_the_one_before(number in 0_i64..1 << 53) {
        let shifted = |power: u32| number.checked_mul(1 << power).unwrap_or(i64::MAX).to_string();
        for (power, suffix) in [(10, "Ki"), (20, "Mi"), (30, "Gi"), (40, "Ti"), (50, "Pi"), (60, "Ei")] {
            prop_assert_eq!(quantity(&format!("{number}{suffix}")), quantity(&shifted(power)), "{}", suffix);
        }
    }
}

/// As Go's `Add` into an empty quantity, then `String()`.
#[test]
fn a_sum_is_printed_in_the_manner_of_its_first_addend() {
    for (addends, sum) in [
        (&[][..], "0"),
        (&["16374256Ki", "16374256Ki"], "32748512Ki"),
        (&["4", "3800m"], "7800m"),
        (&["3800m", "4"], "7800m"),
        (&["500m", "500m"], "1"),
        (&["0", "1Gi", "1024Mi"], "2Gi"),
        (&["0", "0"], "0"),
        (&["1Gi", "1G"], "2073741824"),
        (&["1G", "1Gi"], "2073741824"),
        (&["1Gi", "500m"], "1073741824500m"),
        (&["512", "512Ki"], "524800"),
        (&["1e3", "1"], "1001"),
        (&["1Ki", "-1Ki"], "0"),
        (&["2Ki", "-1536"], "512"),
        (&["100n", "900n"], "1u"),
        (&["9E", "9E"], "18E"),
        (&["8Ei", "8Ei"], "18446744073709551614"),
        (&["8.0", "0"], "8"),
    ] {
        let addends: Vec<Quantity> = addends.iter().map(|text| Quantity::parse(text).expect(text)).collect();
        assert_eq!(addends.iter().collect::<Sum>().total().to_string(), sum, "{addends:?}");
    }
}

#[test]
fn a_share_is_cut_off_to_whole_percent() {
    let percent = |part: &str, whole: &str| {
        let [part, whole] = [part, whole].map(|text| Quantity::parse(text).expect(text));
        part.percent_of(&whole)
    };
    assert_eq!(percent("1", "2"), Some(50));
    assert_eq!(percent("1999m", "2"), Some(99));
    assert_eq!(percent("1Gi", "1Gi"), Some(100));
    assert_eq!(percent("3", "2"), Some(150));
    assert_eq!(percent("0", "2"), Some(0));
    assert_eq!(percent("1", "0"), None);
    assert_eq!(percent("1e40", "1e40"), Some(100));
}
