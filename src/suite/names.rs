//! Finds the name that is most like a mistyped one.

/// What to say about a name that matches nothing: the nearest, else what there is.
pub(super) fn instead<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    known.dedup();
    let likeness = |other: &str| strsim::jaro_winkler(other, name);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        None => format!("there is no {what}"),
        Some(nearest) if likeness(nearest) >= LIKE => format!("no such {what}; did you mean {nearest}?"),
        Some(_) => {
            let more = known.len().saturating_sub(SHOWN);
            known.truncate(SHOWN);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("no such {what}; there is {}{more}", known.join(", "))
        }
    }
}

/// How like a name has to be to be meant, of 1.
const LIKE: f64 = 0.8;
/// How many names are listed where none is meant.
const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::instead;

    #[test]
    fn the_nearest_name_is_offered_and_otherwise_all() {
        assert_eq!(
            instead("container", "ap", ["sidecar", "api"]),
            "no such container; did you mean api?"
        );
        assert_eq!(
            instead("container", "xyz", ["b", "a", "b"]),
            "no such container; there is a, b"
        );
        assert_eq!(instead("persona", "x", []), "there is no persona");
        let many: Vec<String> = (0..10).map(|number| format!("n{number}")).collect();
        let said = instead("persona", "web", many.iter().map(String::as_str));
        assert!(said.ends_with("n6, n7 and 2 more"), "{said}");
    }
}
