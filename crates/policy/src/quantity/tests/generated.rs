//! Generated texts, and sums.

use proptest::prelude::*;

use super::*;

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
