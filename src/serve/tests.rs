use axum::routing::post;

use super::*;
use crate::runtime::About;

const DECLARED: Admission = Admission {
    webhook: "validate-configmap.dorgu.io",
    path: "/validate-configmap",
    switch: "",
    entry: |_| panic!("no installation is written"),
};

static ABOUT: About = About {
    admission: &[DECLARED],
    ..About::named("test")
};

#[test]
fn only_entries_that_a_part_serves_get_a_ca_bundle() {
    assert!(Joined::of(Vec::new()).webhooks.is_empty());
    let declared = Part::new(&ABOUT);
    assert!(Joined::of(vec![declared]).webhooks.is_empty());
    let served = Part {
        admission: vec![Handler {
            path: DECLARED.path,
            answers: post(async || ""),
        }],
        ..Part::new(&ABOUT)
    };
    assert_eq!(Joined::of(vec![served]).webhooks, [DECLARED.webhook]);
}
