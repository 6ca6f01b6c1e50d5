//! Tests of explanations. That each example does what it says is tested where docs/rules.md is (`tests/it/cases/docs.rs`).

use super::*;

#[test]
fn every_rule_is_explained_in_full() {
    for explanation in Explanation::all() {
        let (rule, text) = (explanation.rule, explanation.text());
        assert!(
            explanation.summary.ends_with('.') && explanation.summary.len() > 30,
            "{rule}: {}",
            explanation.summary
        );
        assert!(
            !explanation.summary.contains(['\n', '[']),
            "{rule}: {}",
            explanation.summary
        );
        assert!(text.starts_with(&format!("{rule} (")), "{rule}");
        for part in ["  under `complete`:", "  text:", "t 3 a.m.:"] {
            assert!(text.contains(part), "{rule}: no '{part}' in\n{text}");
        }
        // Of the Markdown nothing is left but the backticks of code.
        for mark in ["```", "](", "**", "\n|", "<!--"] {
            assert!(!text.contains(mark), "{rule}: '{mark}' in\n{text}");
        }
        if rule != "object-unreadable" {
            assert!(
                text.contains("\n    # violation\n") && text.contains("\n    # fix\n"),
                "{rule}: no examples\n{text}"
            );
        }
    }
}

#[test]
fn markdown_becomes_text() {
    let markdown = "One **two** [three](#four), [five](six.md#seven) `a [b](c)`. Eight
nine `no break in here at all, however long this may become in the end`, ten eleven twelve.

<!-- needs: x -->
| | |
|---|---|
| a | `x`, `y|z` |
| `b` | `kubectl get x` |

- item
  more
- other
```yaml
# fix
a: 1
```
";
    let text = "One two three, five (docs/six.md#seven) `a [b](c)`. Eight nine
`no break in here at all, however long this may become in the end`, ten eleven
twelve.

  a: `x`, `y|z`
  `b`:
    kubectl get x

- item more
- other

    # fix
    a: 1
";
    assert_eq!(text::plain(markdown), text);
    assert_eq!(
        text::first_sentence(markdown),
        "One two three, five (docs/six.md#seven) `a [b](c)`."
    );
}

#[test]
fn links_of_a_section_lead_back_to_the_page() {
    let markdown = r##"See [two
words](#levels), [a page](more.md#x), [the web](https://example.com/) and `a [b](#c)`.
<!-- run by: x -->
```yaml
a: "[b](#c)"
```
[last](#one)
"##;
    let with = |levels: &str, more: &str, last: &str| {
        format!(
            "See {levels}, {more}, [the web](https://example.com/) and `a [b](#c)`.\n```yaml\na: \"[b](#c)\"\n```\n{last}\n"
        )
    };
    assert_eq!(markdown::at(markdown, ""), with("two\nwords", "a page", "last"));
    let page = "https://example.com/docs/rules.md";
    let links = [
        format!("[two\nwords]({page}#levels)"),
        "[a page](https://example.com/docs/more.md#x)".to_owned(),
        format!("[last]({page}#one)"),
    ];
    assert_eq!(markdown::at(markdown, page), with(&links[0], &links[1], &links[2]));
    let page = "https://example.com/rules";
    let links = [format!("[two\nwords]({page}#levels)"), format!("[last]({page}#one)")];
    assert_eq!(markdown::at(markdown, page), with(&links[0], "a page", &links[1]));
}
