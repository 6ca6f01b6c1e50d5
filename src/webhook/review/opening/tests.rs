use super::*;

/// uid, namespace and name of a review that starts with these bytes.
fn read(text: &str) -> Option<(String, Option<String>, Option<String>)> {
    let opening = Opening::read(text.as_bytes())?;
    let owned = |text: Option<Text<'_>>| text.map(|text| text.as_str().to_owned());
    Some((
        opening.uid.as_str().to_owned(),
        owned(opening.namespace),
        owned(opening.name),
    ))
}

fn found(uid: &str, namespace: Option<&str>, name: Option<&str>) -> Option<(String, Option<String>, Option<String>)> {
    Some((uid.to_owned(), namespace.map(str::to_owned), name.map(str::to_owned)))
}

#[test]
fn only_members_of_the_request_count() {
    for (text, expected) in [
        // A Deployment with the name of a member.
        (
            r#"{"request":{"uid":"a-1","name":"namespace","namespace":"shop","object":{"#,
            found("a-1", Some("shop"), Some("namespace")),
        ),
        (
            r#"{"uid":"x","namespace":"x","request":{"userInfo":{"uid":"x","namespace":"x"},"uid":"a-1","namespace":"shop""#,
            found("a-1", Some("shop"), None),
        ),
        (
            r#"{"request":{"object":{"metadata":{"uid":"x","namespace":"x","labels":{"uid":"x"}}},"namespace":"shop","uid":"a-1""#,
            found("a-1", Some("shop"), None),
        ),
        (
            r#"{"request":{"options":"\"uid\":\"x\",\"namespace\":\"x\"","uid":"a-1","name":"uid\":\"x","namespace":"shop""#,
            found("a-1", Some("shop"), Some("uid\":\"x")),
        ),
        // Escaped, they are the same members and the same values.
        (
            r#"{"r\u0065quest":{"\u0075id":"a\u002d1","namesp\u0061ce":"sh\u006fp""#,
            found("a-1", Some("shop"), None),
        ),
        // A value that is only elsewhere is not used.
        (
            r#"{"request":{"uid":"a-1","namespace":"","name":null,"#,
            found("a-1", None, None),
        ),
        (
            r#"{"request":{"uid":"a-1","object":{"namespace":"x""#,
            found("a-1", None, None),
        ),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn a_value_counts_once_it_is_whole() {
    let text = r#"{"kind":"AdmissionReview","request":{"uid":"a-1","name":"orders","namespace":"shöp"}}"#;
    let [uid, name, namespace] =
        ["a-1\"", "orders\"", "shöp\""].map(|value| text.find(value).expect("there") + value.len());
    for end in 0..=text.len() {
        let opening = Opening::read(&text.as_bytes()[..end]);
        let told = opening.map(|opening| (opening.name.is_some(), opening.namespace.is_some()));
        let expected = (end >= uid).then_some((end >= name, end >= namespace));
        assert_eq!(told, expected, "{end}");
    }
}

#[test]
fn what_has_no_one_to_answer_to_is_none() {
    for text in [
        "",
        "[",
        r#"{"request":[{"uid":"a-1"}]}"#,
        r#"{"request":{"uid":""}}"#,
        r#"{"request":{"uid":7}}"#,
        r#"{"request":{"uid":"cut"#,
        r#"{"request":{"uid":"\ud800"}}"#,
        r#"{"request":null,"uid":"a-1"}"#,
        r#"{"apiVersion":"v1","request":{"uid":"a-1"}}"#,
        // It is undefined which of the two counts.
        r#"{"request":{"uid":"a-1","uid":"a-2"}}"#,
        r#"{"request":{"uid":"a-1","namespace":"shop","namespace":"x"}}"#,
        r#"{"request":{"uid":"a-1"},"request":{"namespace":"x"}}"#,
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn the_version_is_that_of_the_review() {
    for (text, version) in [
        (
            r#"{"apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"a-1""#,
            Version::V1Beta1,
        ),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","request":{"uid":"a-1","name":"admission.k8s.io/v1beta1""#,
            Version::V1,
        ),
        (
            r#"{"request":{"uid":"a-1","apiVersion":"admission.k8s.io/v1beta1""#,
            Version::V1,
        ),
    ] {
        assert_eq!(
            Opening::read(text.as_bytes()).expect("a uid").version,
            version,
            "{text}"
        );
    }
}
