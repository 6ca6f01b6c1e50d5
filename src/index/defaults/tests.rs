//! Which default personas govern where.

use super::*;

fn default(namespace: &str, name: &str, is_binding: bool) -> Arc<Persona> {
    Arc::new(Persona {
        namespace: namespace.into(),
        name: name.into(),
        app: "*".into(),
        is_binding,
        ..Persona::default()
    })
}

/// Those that govern an app without a persona, those beside them, and those beside an app's own.
fn governing(defaults: &Defaults, namespace: &str) -> [Vec<String>; 3] {
    let (without, beside_defaults) = defaults.without_own(namespace);
    [without, beside_defaults, defaults.beside_own(namespace)]
        .map(|personas| personas.iter().map(|persona| persona.name.clone()).collect())
}

#[test]
fn those_of_a_namespace_come_before_those_of_the_platform_and_binding_ones_beside_all() {
    let all = [
        default("platform", "base", false),
        default("platform", "floor", true),
        default("shop", "ours", false),
        default("shop", "strict", true),
    ];
    let defaults = Defaults::of_platform(Some("platform")).with_all(all.iter());
    let names = |names: [&[&str]; 3]| names.map(|list| list.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(
        governing(&defaults, "bank"),
        names([&["platform/base", "platform/floor"], &[], &["platform/floor"]])
    );
    assert_eq!(
        governing(&defaults, "shop"),
        names([&["ours", "strict"], &["platform/floor"], &["platform/floor", "strict"]])
    );
    assert_eq!(
        governing(&defaults, "platform"),
        names([&["base", "floor"], &[], &["floor"]]),
        "in their own namespace they have their plain names"
    );
    let without = defaults.without(&all[2]).without(&all[3]);
    assert_eq!(governing(&without, "shop"), governing(&defaults, "bank"));
    let none = Defaults::default().with_all(all.iter());
    assert_eq!(
        governing(&none, "bank"),
        names([&[], &[], &[]]),
        "no namespace is the platform's"
    );
}
