use super::*;

fn accepted(line: &str) -> (Vec<String>, Zap) {
    let (args, zap) = accept(line.split(' ').map(OsString::from)).expect("accepted");
    (
        args.into_iter().map(|arg| arg.into_string().expect("text")).collect(),
        zap,
    )
}

#[test]
fn single_dash_flags_of_a_go_program_are_accepted() {
    let (args, _) = accepted("dorgu serve -webhook-mode=enforcing --rules upstream -h");
    assert_eq!(
        args,
        [
            "dorgu",
            "serve",
            "--webhook-mode=enforcing",
            "--rules",
            "upstream",
            "-h"
        ]
    );
}

#[test]
fn zap_flags_steer_our_logger_or_are_named() {
    let (args, zap) = accepted("dorgu serve --zap-log-level=debug --zap-encoder json --zap-devel --personas x");
    assert_eq!(args, ["dorgu", "serve", "--personas", "x"]);
    assert_eq!(zap.level, Some(tracing::Level::DEBUG));
    assert_eq!(zap.format, Some(LogFormat::Json));
    assert_eq!(zap.ignored, ["--zap-devel"]);
}

#[test]
fn a_zap_value_outside_its_set_is_told() {
    let mistake = accept("dorgu serve --zap-log-level=loud".split(' ').map(OsString::from)).expect_err("refused");
    assert!(
        mistake.contains("'loud' is not one of debug, info, error, panic"),
        "{mistake}"
    );
}

#[test]
fn other_commands_are_left_alone() {
    let (args, _) = accepted("dorgu crd -output x");
    assert_eq!(args, ["dorgu", "crd", "-output", "x"]);
}
