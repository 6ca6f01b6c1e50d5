use super::*;

#[test]
fn durations_read_as_go_writes_them() {
    for (text, seconds) in [
        ("10s", 10.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("0", 0.0),
        ("0s", 0.0),
        ("2h", 7200.0),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
    }
}

#[test]
fn what_is_no_duration_is_refused_with_an_example() {
    for text in ["", "10", "-5s", "soon", "10 parsecs"] {
        let mistake = duration(text).expect_err(text);
        assert!(mistake.contains("10s, 1m30s or 500ms"), "{mistake}");
    }
}
