use super::*;

#[test]
fn every_form_that_users_write_is_read_and_printed_again() {
    for text in [
        ":9443",
        ":0",
        "127.0.0.1:0",
        "[::1]:9443",
        "[::]:1",
        "localhost:1",
        "0.0.0.0:8081",
        "my-host.example_1:80",
    ] {
        let address: BindAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
    }
    assert_eq!(":1".parse::<BindAddress>().unwrap().host, Host::All);
    assert_eq!(
        "10.0.0.7:1".parse::<BindAddress>().unwrap().host,
        Host::Ip("10.0.0.7".parse().unwrap())
    );
    assert_eq!(
        "localhost:1".parse::<BindAddress>().unwrap().host,
        Host::Name("localhost".into())
    );
}

#[test]
fn what_cannot_be_read_is_named_with_the_way_out() {
    for (text, problem) in [
        ("9443", "no port"),
        ("", "no port"),
        ("0", "no port"),
        ("localhost", "no port"),
        (":", "not a number"),
        (":65536", "not a number"),
        (":-1", "not a number"),
        ("127.0.0.1:https", "not a number"),
        ("::1:9443", "in brackets"),
        ("[::1:9443", "not closed"),
        ("[127.0.0.1]:9443", "IPv6"),
        ("127.0.0.1.5:9443", "neither"),
        ("256.1.1.1:9443", "neither"),
        ("a b:9443", "neither"),
        ("https://x:9443", "neither"),
    ] {
        let error = text.parse::<BindAddress>().unwrap_err().to_string();
        assert!(error.contains(problem), "{text}: {error}");
        assert!(
            error.starts_with(&format!("'{text}'")) && error.contains("write ':9443'"),
            "{error}"
        );
        assert!(!error.contains('\n'));
    }
}
