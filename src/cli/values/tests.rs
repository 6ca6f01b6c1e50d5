use std::time::Duration;

use super::{duration, image, mode, own_namespace};

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

#[test]
fn a_mistyped_mode_is_told_and_never_means_advisory() {
    assert_eq!(
        mode("Enforcing"),
        Err("valid values are advisory, enforcing".to_owned())
    );
}

#[test]
fn images_are_what_a_kubelet_takes() {
    let digest = format!("dorgu@sha256:{}", "0a".repeat(32));
    for text in [
        "dorgu",
        "dorgu:0.9.0",
        "team/dorgu",
        "localhost/dorgu:x",
        "registry.example.com:5000/team/dorgu:0.9.0-rc_1",
        "[fd00::1]:5000/dorgu",
        &digest,
    ] {
        assert_eq!(image(text), Ok(text.to_owned()));
    }
    for text in [
        "",
        " ",
        "dorgu:",
        "dorgu:a b",
        "Dorgu",
        "dorgu@sha256:12",
        "/dorgu",
        "https://example.com/dorgu",
        "dorgu\nreplicas: 9",
        "dorgu:-x",
    ] {
        let mistake = image(text).expect_err(text);
        assert!(mistake.contains("registry.example.com/team/dorgu"), "{mistake}");
    }
}

#[test]
fn an_installation_lives_in_a_namespace_of_its_own() {
    assert_eq!(own_namespace("dorgu-system"), Ok("dorgu-system".to_owned()));
    for (text, words) in [
        ("kube-system", "Kubernetes' own"),
        ("default", "Kubernetes' own"),
        ("", "must consist of lower case letters"),
        ("Dorgu", "must consist of lower case letters"),
    ] {
        let mistake = own_namespace(text).expect_err(text);
        assert!(mistake.contains(words), "{mistake}");
    }
}
