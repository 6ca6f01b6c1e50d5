use super::*;

/// Connections of the webhook, the probes and the metrics.
fn shares(files: u64) -> [usize; 3] {
    let shares = Shares::of(Some(files));
    [shares.webhook, shares.probes, shares.metrics].map(|limits| limits.max_connections)
}

#[test]
fn the_others_get_tens_and_the_webhook_what_it_can_use() {
    let plenty = [1024, PROBES, METRICS];
    assert_eq!(shares(1_048_576), plenty);
    assert_eq!(shares(u64::MAX), plenty);
    let unlimited = Shares::of(None);
    assert_eq!(unlimited.webhook.max_connections, 1024);
    assert_eq!(shares(1024), [800, 64, 32]);
    assert_eq!(shares(64), [24, 4, 4]);
}

#[test]
fn all_of_them_together_fit_into_what_there_is() {
    for files in [4, 16, 40, 64, 128, 256, 1000, 1024, 4096] {
        let shares = shares(files);
        let sum: usize = shares.iter().sum();
        assert!(sum <= usize::try_from(files).unwrap(), "{files}: {shares:?}");
        assert!(shares[0] >= shares[1] + shares[2] || files < 16, "{files}: {shares:?}");
    }
}

#[test]
fn the_soft_limit_becomes_the_hard_one() {
    let hard = getrlimit(Resource::Nofile).maximum;
    assert_eq!(raise().unwrap(), hard);
    assert_eq!(limit(), hard);
    // And again.
    assert_eq!(raise().unwrap(), hard);
}
