use super::*;

fn window(out_bytes: u64, in_bytes: u64, out_small: u32, in_small: u32) -> Window {
    let way = |bytes, small| Way {
        bytes,
        small,
        packets: small,
        turns: 0,
    };
    Window {
        out: way(out_bytes, out_small),
        inward: way(in_bytes, in_small),
        is_opening: false,
    }
}

#[test]
fn a_screen_that_answers_input_is_driven_and_its_host_controlled() {
    let windows = Windows::from([
        (1, window(100, 100, 0, 0)),
        (2, window(200_000, 4_000, 0, 60)),
        (3, window(90_000, 3_000, 1, 40)),
        (4, window(50_000, 100, 0, 1)),
    ]);
    let judged = judge(&windows, "", None);
    assert_eq!(
        (judged.role, judged.activity),
        (Role::Controlled, Activity::Driven)
    );
    let states: Vec<Activity> = judged.intervals.iter().map(|(_, _, state)| *state).collect();
    assert_eq!(states, [Activity::Idle, Activity::Driven, Activity::Viewed]);
    assert_eq!(judged.intervals[1].1.since(judged.intervals[1].0), 2 * BIN);
}

#[test]
fn the_mirror_image_is_a_controller() {
    let windows = Windows::from([(2, window(4_000, 200_000, 60, 0))]);
    assert_eq!(judge(&windows, "", None).role, Role::Controller);
    assert_eq!(judge(&windows, "", None).activity, Activity::Driven);
}

#[test]
fn a_call_with_equal_directions_gives_no_role_and_a_download_is_bulk() {
    let call = Windows::from([(1, window(300_000, 300_000, 400, 400))]);
    assert_eq!(judge(&call, "", None).role, Role::Unknown);
    let download = Windows::from([(1, window(20_000, 20 << 20, 0, 0))]);
    assert_eq!(judge(&download, "", None).activity, Activity::Bulk);
}

#[test]
fn intervals_join_over_short_pauses_and_break_over_long_ones() {
    let windows = Windows::from([
        (1, window(200_000, 4_000, 0, 60)),
        (10, window(200_000, 4_000, 0, 60)),
        (100, window(200_000, 4_000, 0, 60)),
    ]);
    assert_eq!(judge(&windows, "", None).intervals.len(), 2);
}

#[test]
fn a_hand_as_steady_as_a_viewer_drives_all_the_same() {
    // Two or three pictures in ten seconds, each behind three keys and before one receipt: four small packets a turn, never fewer.
    let windows: Windows = (0..12_u32)
        .map(|number| {
            let pictures = 2 + number % 2;
            let mut window = window(
                u64::from(pictures) * 5_500,
                u64::from(pictures) * 320,
                0,
                pictures * 4,
            );
            window.inward.turns = pictures;
            window.out.packets = pictures * 4;
            (number, window)
        })
        .collect();
    let judged = judge(&windows, "screenconnect", Some(Role::Controlled));
    let states: Vec<Activity> = judged.intervals.iter().map(|(_, _, state)| *state).collect();
    assert_eq!(states, [Activity::Driven]);
}

/// Updates of a screen, each asked for by so many packets, and a hand's packets beside them.
fn watched(updates: u32, octets: u64, requests: u32, hand: u32) -> Window {
    let small = updates.saturating_mul(requests).saturating_add(hand);
    Window {
        out: Way {
            bytes: u64::from(updates).saturating_mul(octets),
            small: 0,
            packets: updates,
            turns: updates,
        },
        inward: Way {
            bytes: u64::from(small).saturating_mul(40),
            small,
            packets: small,
            turns: updates,
        },
        is_opening: false,
    }
}

fn states(windows: &Windows, tool: &str, declared: Role) -> Vec<Activity> {
    let judged = judge(windows, tool, Some(declared));
    judged.intervals.iter().map(|(_, _, state)| *state).collect()
}

#[test]
fn a_viewers_requests_are_no_input_however_many_go_with_an_update() {
    for requests in 0..=2 {
        let windows = Windows::from([
            (1, watched(80, 700, requests, 0)),
            (2, watched(80, 700, requests, 70)),
        ]);
        assert_eq!(
            states(&windows, "vnc", Role::Controlled),
            [Activity::Viewed, Activity::Driven],
            "{requests}"
        );
    }
}

#[test]
fn moving_the_mouse_over_a_still_screen_is_driving_only_beside_what_is_answered() {
    let pointing = watched(2, 200, 1, 30);
    let windows = Windows::from([
        (1, watched(40, 100, 1, 80)),
        (2, pointing),
        (3, watched(40, 100, 1, 80)),
    ]);
    assert_eq!(states(&windows, "vnc", Role::Controlled), [Activity::Driven]);
    let alone = Windows::from([(1, pointing), (20, watched(40, 100, 1, 80))]);
    assert_eq!(
        states(&alone, "vnc", Role::Controlled),
        [Activity::Idle, Activity::Driven]
    );
}

#[test]
fn setting_up_a_connection_is_not_driving() {
    let mut opening = watched(10, 400, 1, 20);
    opening.is_opening = true;
    let tried = Windows::from([(1, opening)]);
    assert_eq!(states(&tried, "rdp", Role::Controlled), [Activity::Idle]);
}

#[test]
fn a_tunnel_whose_far_end_drives_is_told_from_a_shell_and_an_upload() {
    let tunnel: Windows = (1..=4).map(|number| (number, watched(80, 700, 1, 70))).collect();
    assert_eq!(
        judge(&tunnel, "ssh", Some(Role::Controller)).role,
        Role::Controlled
    );
    let upload: Windows = (1..=4)
        .map(|number| (number, watched(80, 32 << 10, 1, 4)))
        .collect();
    assert_eq!(
        judge(&upload, "ssh", Some(Role::Controller)).role,
        Role::Controller
    );
    let typed = Window {
        out: Way {
            bytes: 1_000,
            small: 28,
            packets: 28,
            turns: 28,
        },
        inward: Way {
            bytes: 1_500,
            small: 35,
            packets: 35,
            turns: 28,
        },
        is_opening: false,
    };
    let shell: Windows = (1..=4).map(|number| (number, typed)).collect();
    let judged = judge(&shell, "ssh", Some(Role::Controller));
    assert_eq!(
        (judged.role, judged.activity),
        (Role::Controller, Activity::Driven)
    );
}

#[test]
fn a_screen_that_changes_less_than_once_a_second_is_a_clock() {
    let windows = Windows::from([
        (1, watched(6, 900, 1, 0)),
        (20, watched(6, 1_600, 1, 0)),
        (40, watched(30, 180, 1, 0)),
    ]);
    assert_eq!(
        states(&windows, "vnc", Role::Controlled),
        [Activity::Idle, Activity::Viewed, Activity::Viewed]
    );
}

#[test]
fn small_updates_under_way_together_are_each_asked_for() {
    // Two updates of three are answered in one turn: sixty requests in forty turns.
    let mut flying = watched(60, 150, 1, 0);
    (flying.out.small, flying.out.turns, flying.inward.turns) = (60, 40, 40);
    let windows = Windows::from([(1, flying), (20, watched(60, 150, 1, 70))]);
    assert_eq!(
        states(&windows, "vnc", Role::Controlled),
        [Activity::Viewed, Activity::Driven]
    );
}

#[test]
fn what_a_connection_opens_with_is_looked_at_only_where_looking_goes_on() {
    let opening = Window {
        is_opening: true,
        ..window(2_000, 1_500, 0, 0)
    };
    // Scanners try to log in again and again, and each exchange of keys is as large as a picture.
    let knocks: Windows = (0..50).map(|number| (number, opening)).collect();
    assert_eq!(
        judge(&knocks, "ssh", Some(Role::Controlled)).activity,
        Activity::Idle
    );
    let stays = Windows::from([(1, opening), (2, window(2_000, 300, 0, 0))]);
    let judged = judge(&stays, "ssh", Some(Role::Controlled));
    assert_eq!(judged.activity, Activity::Viewed);
    assert_eq!(judged.intervals.len(), 1, "{judged:?}");
}
