use super::*;
use crate::limits::Limits;

fn track(accepted: Instant) -> Arc<Track> {
    Arc::new(Track::new(Limits::default(), accepted))
}

#[tokio::test]
async fn those_who_have_shown_nothing_yet_push_out_nobody_who_has() {
    let registry = Arc::new(Registry::new(2));
    let now = Instant::now();
    let (used, young) = (track(now), track(now));
    {
        let mut used = used.course();
        used.handshaken(now);
        used.head_read(false, now);
        used.answered(now);
        used.flushed(now);
    }
    let _places = [&used, &young].map(|track| {
        let slot = registry.try_slot().expect("a slot");
        registry.enter(Arc::clone(track), slot, Arc::default())
    });
    let is_chosen = |track: &Track| track.course().eviction_rank(now).is_none();

    assert!(!registry.evict_one(), "the young one gets its second");
    assert!(!is_chosen(&used));

    young.course().handshaken(now);
    assert!(registry.evict_one(), "it has agreed and asks nothing");
    assert!(is_chosen(&young) && !is_chosen(&used));

    assert!(registry.evict_one(), "nobody else is left");
    assert!(is_chosen(&used));
}
