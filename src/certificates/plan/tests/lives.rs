//! What becomes of certificates over hours and years, by events chosen here and by random ones.

use super::*;

/// A state in which the first certificate is served and trusted, and every grace period is over.
fn settled() -> World {
    let mut world = World::new();
    world.settled();
    world
}

#[test]
fn the_first_certificate_waits_for_nobody() {
    let mut world = World::new();
    world.excuse();
    world.run(seconds(1));
    assert!(world.replicas.iter().all(|replica| replica.takes == 1));
    world.judge();
}

#[test]
fn a_request_in_the_first_seconds_is_met_when_it_may_be_and_not_forgotten() {
    let mut world = World::new();
    world.excuse();
    world.run(seconds(1));
    let leaf = world.stored().unwrap().signing.unwrap().leaf;
    world.meet(&Happening::Rotate("leaf"));
    world.run(seconds(5));
    assert_eq!(world.stored().unwrap().signing.unwrap().leaf, leaf, "too early");
    world.run(seconds(6));
    assert_ne!(world.stored().unwrap().signing.unwrap().leaf, leaf);
    world.settled();
}

#[test]
fn a_ca_is_rotated_on_request_and_the_old_one_stays_until_its_last_leaf_has_expired() {
    let mut world = settled();
    let old = world.stored().unwrap().signing.unwrap();
    world.meet(&Happening::Rotate("ca"));
    world.run(seconds(9));
    let staged = world.stored().unwrap();
    assert_eq!(staged.signing.as_ref(), Some(&old));
    assert_eq!(String::from_utf8_lossy(world.bundle()), staged.bundle());
    world.run(seconds(3));
    let rotated = world.stored().unwrap();
    assert_eq!(
        rotated.signing.as_ref().map(|signing| &signing.ca),
        staged.next.as_ref()
    );
    assert_eq!(rotated.previous[0].certificate, old.ca.certificate);
    assert_eq!(rotated.previous[0].until, old.until + SKEW);
    world.skip(hours(8 * 24));
    assert!(
        world.stored().unwrap().bundle().contains(&old.ca.certificate),
        "a clock may be wrong"
    );
    world.skip(hours(2 * 24));
    assert!(!world.stored().unwrap().bundle().contains(&old.ca.certificate));
    world.settled();
}

#[test]
fn a_year_passes_with_a_leaf_every_five_days_and_a_ca_after_eight_months() {
    let mut world = settled();
    let ca = world.stored().unwrap().signing.unwrap().ca;
    world.skip(hours(24 * 240));
    assert_eq!(world.stored().unwrap().signing.unwrap().ca, ca);
    let leaves = world.replicas[1].takes;
    assert!((48..=60).contains(&leaves), "{leaves} leaves in 240 days");
    world.skip(hours(24 * 10));
    assert_ne!(world.stored().unwrap().signing.unwrap().ca, ca);
    world.settled();
}

#[test]
fn a_deleted_secret_is_restored_at_once_and_its_ca_rotated() {
    let mut world = settled();
    let before = world.stored().unwrap();
    world.meet(&Happening::DeleteSecret);
    world.run(seconds(1));
    assert_eq!(world.stored().unwrap().signing, before.signing);
    world.run(seconds(11));
    assert_ne!(world.stored().unwrap().signing.unwrap().ca, before.signing.unwrap().ca);
    world.settled();
}

#[test]
fn a_deleted_secret_that_nobody_remembers_costs_a_grace_and_no_trust() {
    let mut world = settled();
    let old = world.stored().unwrap().signing.unwrap();
    // The other replica continues to serve; it may not write.
    world.secret = None;
    world.replicas[0] = Replica::default();
    world.look();
    world.run(seconds(9));
    assert!(world.stored().unwrap().signing.is_none(), "too early");
    assert!(
        world
            .bundle()
            .windows(old.ca.certificate.len())
            .any(|part| part == old.ca.certificate.as_bytes())
    );
    world.run(seconds(3));
    world.settled();
    assert_eq!(world.replicas[1].takes, 2);
}

#[test]
fn a_secret_that_was_set_back_costs_no_trust() {
    let mut world = settled();
    let backup = world.secret.clone().unwrap();
    world.meet(&Happening::Rotate("ca"));
    world.settled();
    // The old CA has left the caBundle, as after two weeks.
    world.skip(hours(11 * 24));
    world.restore(backup);
    world.run(seconds(60));
    world.settled();
}

#[test]
fn a_backup_with_a_staged_ca_is_gone_on_from_once() {
    let mut world = settled();
    world.meet(&Happening::Rotate("ca"));
    world.run(seconds(1));
    let backup = world.secret.clone().unwrap();
    let staged = world.stored().unwrap().next.expect("a staged CA");
    world.settled();
    world.restore(backup);
    world.settled();
    assert_eq!(world.stored().unwrap().signing.unwrap().ca, staged);
}

#[test]
fn a_key_that_people_set_is_taken_over_and_mended() {
    for key in KEYS {
        let mut world = settled();
        let before = world.stored().unwrap();
        world.meet(&Happening::Corrupt(key));
        world.settled();
        assert_eq!(world.stored().unwrap(), before, "{key}");
        assert!(!world.hands.contains(key), "{key} is still theirs");
    }
}

#[test]
fn a_date_that_people_set_is_taken_over() {
    let mut world = settled();
    world.meet(&Happening::Date);
    world.settled();
    assert!(world.hands.is_empty(), "{:?}", world.hands);
}

#[test]
fn clocks_that_jump_leave_a_valid_certificate_everywhere() {
    for jump in [48, -48, 96, -96, 24 * 300, -24 * 300] {
        let mut world = settled();
        world.meet(&Happening::Jump(jump));
        world.settled();
        world.meet(&Happening::Jump(-jump));
        world.settled();
    }
}

#[test]
fn a_holder_two_days_off_makes_certificates_that_are_valid_for_everybody_else() {
    for jump in [48, -48] {
        let mut world = settled();
        world.wall += hours(jump);
        world.meet(&Happening::Rotate("leaf"));
        world.run(seconds(1));
        world.wall -= hours(jump);
        // No replica has observed it yet, so it serves what was made.
        world.judge();
    }
}

#[test]
fn a_certificate_for_other_names_is_replaced() {
    let world = settled();
    let names = vec!["renamed".to_owned()];
    let observed = &world.replicas[0].observed;
    let registered = observed.registered(world.at);
    let plan = plan(&observed.view(registered.as_ref(), &names, world.wall, world.at)).unwrap();
    assert_eq!(plan.secret.unwrap().why, [Reason::LeafRenewed]);
}

#[test]
fn what_is_printed_is_what_is_read() {
    let mut world = settled();
    world.meet(&Happening::Rotate("ca"));
    world.run(seconds(1));
    let stored = world.stored().unwrap();
    assert!(stored.next.is_some());
    let object = stored.print(&name(), Some("7"), false);
    match Secret::decode(&object.to_string()).unwrap().found {
        Found::Ours {
            stored: read,
            tidy,
            rotate,
        } => {
            assert!(tidy && rotate.is_none());
            assert_eq!(read, stored);
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_api_server_is_shown_a_certificate_that_it_does_not_trust(
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut world = World::new();
        world.excuse();
        world.run(seconds(1));
        for happening in &happenings {
            world.meet(happening);
        }
        if world.configuration.is_none() {
            world.meet(&Happening::RecreateConfiguration);
        }
        world.settled();
    }
}

/// Found by a random run: no replica acts for a while after two jumps that together make the leaf one of the future.
#[test]
fn clocks_that_jump_back_for_days_and_a_lost_secret_are_put_right_once_the_holder_acts() {
    let mut world = settled();
    for happening in [
        Happening::Jump(-28),
        Happening::DeleteSecret,
        Happening::Crash(0),
        Happening::Jump(-45),
        Happening::Pass(12),
        Happening::Pass(1),
    ] {
        world.meet(&happening);
    }
    world.run(GRACE + seconds(3));
    world.excused = world.at;
    world.judge();
    world.settled();
}
