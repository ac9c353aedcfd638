//! Sessions that nothing names because they go through a tunnel of the machine or through datagrams: nothing says that there are any, and
//! nobody may say that there are none.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::unseen::{World, ends, frame, time, told, udp, wireguard};

/// Seconds of a window in which something moves.
const WINDOW: u64 = 10;

/// The laptop of a frame of RDP.
fn rdp(world: &World, frame: &[u8]) -> Option<Ipv4Addr> {
    let [source, destination] = ends(frame)?;
    let is_tcp = frame[23] == 6;
    let tcp = frame.get(34..).filter(|tcp| is_tcp && tcp.len() >= 20)?;
    let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    let laptop = match (port(0), port(2)) {
        (3_389, _) => source,
        (_, 3_389) => destination,
        _ => return None,
    };
    world.farm.contains(&laptop).then_some(laptop)
}

/// Messages of a window in which a hand elsewhere types and points, and the screen answers: when, whether the laptop sends it, its length.
/// The laboratory writes fewer than a hand sends.
fn driven() -> impl Iterator<Item = (f64, bool, usize)> {
    (0..25_u32).flat_map(|input| {
        let at = f64::from(input) * 0.3;
        let answers = if input % 5 == 0 { 2 } else { 0 };
        let screen = (1..=answers).map(move |answer| (at + 0.03 * f64::from(answer), true, 1_300));
        std::iter::once((at, false, 48)).chain(screen)
    })
}

/// A farm that is reached by RDP, whose sessions go through what `wrap` makes of a message's length: ports of the laptop and the other end,
/// and a datagram.
fn through(wrap: impl Fn(u8, u64, usize) -> (u16, u16, Vec<u8>)) -> World {
    let mut world = World::new("s02", 3);
    let frames = std::mem::take(&mut world.frames);
    let (of_rdp, others): (Vec<_>, Vec<_>) = frames
        .into_iter()
        .partition(|one| rdp(&world, frame(one)).is_some());
    world.frames = others;
    let (_, unit) = time(&world.frames[0]);
    let midnight = world.midnight();
    for laptop in world.farm.clone() {
        let own = of_rdp
            .iter()
            .filter(|one| rdp(&world, frame(one)) == Some(laptop));
        let windows: BTreeSet<u64> = own.map(|one| (time(one).0 - midnight) / unit / WINDOW).collect();
        let mut packets = Vec::new();
        for window in windows {
            let begin = f64::from(u32::try_from(window * WINDOW).unwrap());
            for (second, is_out, length) in driven() {
                let (own, other, message) = wrap(u8::from(is_out), packets.len() as u64 + 1, length);
                let datagram = if is_out {
                    udp(own, other, &message)
                } else {
                    udp(other, own, &message)
                };
                packets.push((begin + second, is_out, 17, datagram));
            }
        }
        assert!(!packets.is_empty());
        world.add(laptop, Ipv4Addr::new(198, 51, 100, 200), &packets);
    }
    world
}

#[test]
fn what_looks_like_sessions_inside_of_tunnels_and_datagrams_is_not_denied() {
    let nameless = |_: u8, counter: u64, length: usize| {
        let octets = (0..length).map(|place| u8::try_from((place * 31 + 7) % 249 + 1).unwrap());
        let mut message: Vec<u8> = octets.collect();
        message[0] = u8::try_from(counter % 200).unwrap() + 1;
        (50_443, 40_443, message)
    };
    let tunnel = |side: u8, counter: u64, length: usize| {
        // Headers of IPv4 and TCP with time stamps.
        let inside = (length + 52).next_multiple_of(16);
        (51_820, 51_820, wireguard(side, counter, inside))
    };
    for (mut world, carrier) in [
        (through(nameless), "datagrams without a name"),
        (through(tunnel), "wireguard"),
    ] {
        let run = world.run();
        let farms = run.of("farm");
        assert!(!farms.is_empty());
        let what = format!("traffic of {carrier} has the form of a session in which somebody drives it");
        for cue in ["n_rc", "auth", "focus"] {
            let told = told(&farms, cue).concat();
            assert!(told.contains(&what), "{carrier}, {cue}: {told}");
        }
        let remark = format!(
            "the traffic of {carrier} on {} machines has the form of a session in which somebody drives them",
            world.farm.len()
        );
        assert!(run.summary()["remarks"].to_string().contains(&remark));
        assert!(world.headline().contains(&remark), "{}", world.headline());
    }
}
