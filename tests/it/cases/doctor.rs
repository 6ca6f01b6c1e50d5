//! Compares docs/doctor.md with the checks.

use dorgu::doctor::Check;

#[test]
fn every_check_has_a_section_and_every_section_a_check_in_the_same_order() {
    let text = include_str!("../../../docs/doctor.md");
    let explained: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let named: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
    assert_eq!(
        named, explained,
        "checks on the left, sections of docs/doctor.md on the right"
    );
    for (section, name) in text.split("\n## ").skip(1).zip(named) {
        assert!(
            section.trim().len() > name.len() + 80,
            "docs/doctor.md says next to nothing of {name}"
        );
    }
}
