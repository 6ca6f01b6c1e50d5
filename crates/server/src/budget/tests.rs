use super::*;

#[test]
fn a_hold_grows_shrinks_and_gives_everything_back() {
    let budget = Budget::new(100);
    let mut first = budget.hold_nothing(None);
    first.grow_to(60).unwrap();
    first.grow_to(30).unwrap();
    assert_eq!((first.bytes(), budget.held()), (60, 60));
    let mut second = budget.hold_nothing(None);
    second.grow_to(41).unwrap_err();
    assert_eq!(second.bytes(), 0);
    second.grow_to(40).unwrap();
    assert_eq!(budget.held(), 100);
    first.shrink_to(10);
    first.shrink_to(20);
    assert_eq!(budget.held(), 50);
    drop((first, second));
    assert_eq!(budget.held(), 0);
}

#[test]
fn what_no_number_can_hold_does_not_fit() {
    let budget = Budget::new(usize::MAX);
    let mut first = budget.hold_nothing(None);
    first.grow_to(1).unwrap();
    budget.hold_nothing(None).grow_to(usize::MAX).unwrap_err();
    assert_eq!((budget.held(), budget.total()), (1, usize::MAX));
}

#[test]
fn what_many_hold_at_once_is_never_more_than_there_is() {
    let budget = Budget::new(1000);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for bytes in 0..10_000 {
                    let mut hold = budget.hold_nothing(None);
                    let grown = hold.grow_to(bytes % 700).is_ok() && hold.grow_to(bytes % 900).is_ok();
                    assert!(budget.held() <= 1000);
                    assert!(grown || hold.bytes() <= bytes % 700);
                }
            });
        }
    });
    assert_eq!(budget.held(), 0);
}

#[test]
fn a_quarter_is_left_to_small_bodies() {
    let budget = Budget::new(4 << 20);
    let mut large = budget.hold_nothing(Some(3 << 20));
    large.grow_to(3 << 20).unwrap();
    // A large body has its size with the first byte. One without an announced size grows to be large.
    budget.hold_nothing(Some(SMALL + 1)).grow_to(1).unwrap_err();
    budget.hold_nothing(None).grow_to(SMALL + 1).unwrap_err();
    let small: Vec<_> = (0..4)
        .map(|_| {
            let mut small = budget.hold_nothing(Some(SMALL));
            small.grow_to(SMALL).unwrap();
            small
        })
        .collect();
    assert_eq!(budget.held(), budget.total());
    budget.hold_nothing(Some(1)).grow_to(1).unwrap_err();
    drop((large, small));
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn a_waiting_body_is_notified_of_room() {
    let budget = Budget::new(100);
    let mut first = budget.hold_nothing(None);
    first.grow_to(100).unwrap();
    let mut second = budget.hold_nothing(None);
    let waiting = second.wait();
    let freed = waiting.freed();
    first.shrink_to(40);
    freed.await;
    second.grow_to(60).unwrap();
}

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn the_smallest_limit_on_the_way_up_counts_in_cgroup_version_2() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "kubepods/pod1/memory.max", "134217728\n");
    write(root.path(), "kubepods/pod1/c1/memory.max", "max\n");
    write(root.path(), "kubepods/memory.max", "8589934592\n");
    assert_eq!(memory_limit(root.path(), "0::/kubepods/pod1/c1\n"), Some(134_217_728));
    assert_eq!(memory_limit(root.path(), "0::/kubepods\n"), Some(8_589_934_592));
    assert_eq!(memory_limit(root.path(), "0::/\n"), None);
}

#[test]
fn a_container_sees_its_own_limit_at_the_mount() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "memory.max", "67108864\n");
    assert_eq!(memory_limit(root.path(), "0::/\n"), Some(67_108_864));
    // A path on the host that does not exist in the container.
    assert_eq!(memory_limit(root.path(), "0::/kubepods/pod1/c1\n"), Some(67_108_864));
}

#[test]
fn version_1_is_read_where_the_memory_controller_is_named() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "memory/docker/x/memory.limit_in_bytes", "100000000\n");
    write(root.path(), "memory/memory.limit_in_bytes", "9223372036854771712\n");
    let cgroups = "12:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n0::/\nnonsense\n";
    assert_eq!(memory_limit(root.path(), cgroups), Some(100_000_000));
}

#[test]
fn small_pods_get_the_small_budget() {
    assert_eq!(bytes_for(None), 64 << 20);
    assert_eq!(bytes_for(Some(128 << 20)), 48 << 20);
    assert_eq!(bytes_for(Some((128 << 20) + 1)), 64 << 20);
    assert!(Budget::for_this_process().total() >= 48 << 20);
}
