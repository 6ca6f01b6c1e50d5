use super::*;

#[test]
fn we_are_never_the_first_to_close_an_idle_connection() {
    // kube-apiserver's own idle timeout, Go's default.
    assert!(Limits::default().idle >= 2 * Duration::from_secs(90));
}

#[test]
fn a_stalled_peer_is_gone_within_fifteen_seconds() {
    let limits = Limits::default();
    for slow in [limits.handshake, limits.header, limits.body, limits.write] {
        assert!(slow + limits.linger < Duration::from_secs(15));
    }
}

#[test]
fn delay_and_drain_fit_into_the_grace_period() {
    assert!(Duration::from_secs(10) + Limits::default().drain + Limits::default().linger < Duration::from_secs(30));
}

#[test]
fn the_head_buffer_is_one_that_hyper_accepts() {
    assert_eq!(
        Limits {
            max_header_bytes: 10,
            ..Limits::default()
        }
        .head_buffer(),
        8192
    );
}
