use proptest::prelude::*;

use fearless_simd::{Level, dispatch};

use super::{BLOCK, end_of_brackets, end_of_brackets_by, end_of_escapes, lanes, plain, stop};

/// The best level of this processor, and the baseline.
fn levels() -> [Level; 2] {
    [Level::new(), Level::baseline()]
}

/// The end of the brackets, character by character.
fn end_by_characters(text: &[u8], at: usize) -> Option<usize> {
    let (mut open, mut inside, mut escaped) = (1, false, false);
    for (position, byte) in text.iter().enumerate().skip(at) {
        // Outside a string a backslash is not valid JSON. Here as there it escapes quotes and hides no bracket.
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'\\' => escaped = !was_escaped,
            b'"' if !was_escaped => inside = !inside,
            b'{' | b'[' if !inside => open += 1,
            b'}' | b']' if !inside => {
                open -= 1;
                if open == 0 {
                    return Some(position + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Bytes, most of which are relevant here.
fn telling() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(b"\"\\{}[]".to_vec()),
        3 => any::<u8>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn vectors_say_what_a_plain_loop_says(block in prop::collection::vec(telling(), BLOCK)) {
        let block: &[u8; BLOCK] = block.first_chunk().expect("a block");
        let chunk = block.first_chunk().expect("a chunk");
        for level in levels() {
            prop_assert_eq!(dispatch!(level, simd => lanes::masks(simd, block)), plain::masks(block));
            prop_assert_eq!(dispatch!(level, simd => lanes::stops(simd, chunk)), plain::stops(chunk));
        }
    }

    #[test]
    fn brackets_close_where_a_reader_of_characters_closes_them(
        text in prop::collection::vec(telling(), 0..400),
        at in 0..80_usize,
    ) {
        for level in levels() {
            let end = dispatch!(level, simd => end_of_brackets_by(simd, &text, at));
            prop_assert_eq!(end, end_by_characters(&text, at));
        }
    }

    #[test]
    fn deep_and_long_nests_close_at_their_end(depth in 1..200_usize, filler in "[a-z,:]{0,150}", rest in "[a-z{}]{0,80}") {
        let text = format!("{}{filler}{}{rest}", "[{".repeat(depth), "}]".repeat(depth));
        prop_assert_eq!(end_of_brackets(text.as_bytes(), 1), Some(depth * 4 + filler.len()));
    }

    #[test]
    fn a_string_with_runs_of_escapes_ends_where_it_ends_escape_by_escape(
        parts in prop::collection::vec(proptest::sample::select(vec![
            r"\u003c", r"\u00E9", r"\u00", r"\u", r"\n", r"\\", r#"\""#, "a", "u003c", r#"""#,
        ]), 0..60),
    ) {
        let text = parts.concat() + r"\";
        let end = |behind: fn(&[u8], usize) -> usize| {
            let mut end = stop(text.as_bytes(), 0);
            while text.as_bytes().get(end) == Some(&b'\\') {
                end = stop(text.as_bytes(), behind(text.as_bytes(), end));
            }
            end
        };
        // The last backslash may escape what is behind the text.
        prop_assert_eq!(end(end_of_escapes).min(text.len()), end(|_, at| at + 2).min(text.len()));
    }

    #[test]
    fn a_string_stops_at_the_first_byte_that_matters(text in prop::collection::vec(any::<u8>(), 0..100), at in 0..120_usize) {
        let matters = |byte: &u8| matches!(byte, b'"' | b'\\') || *byte < 0x20;
        let place = text.iter().skip(at).position(matters);
        prop_assert_eq!(stop(&text, at), place.map_or(text.len().max(at), |place| at + place));
    }
}

#[test]
fn an_escaped_quote_ends_no_string_wherever_the_blocks_part() {
    for filler in 0..130 {
        for backslashes in 0..8 {
            let text = format!("{{\"{}{}\"}}\"]}}", "x".repeat(filler), "\\".repeat(backslashes));
            assert_eq!(
                end_of_brackets(text.as_bytes(), 1),
                end_by_characters(text.as_bytes(), 1),
                "{text}"
            );
        }
    }
}
