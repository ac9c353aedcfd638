//! What a shell's connection shows when files go through it: scp, sftp, rsync, a backup, `cat` of something long.
//!
//! Question: what does a terminal never do? Who types sends an octet or a few at a time, each a packet of some forty (RFC 4253, 6), and a
//! screen of text is some kilobytes, drawn a few times in ten seconds at most. Files fill packets, in either direction, and go on.
//! What comes back meanwhile (receipts, requests for the next piece) is small, as input is, and stands for many octets each.

use super::activity_state::Way;

/// Octets of a packet on average, beyond which it is nothing that was typed (DETECTION 4.1.2).
const INPUT: u64 = 350;

/// Octets towards the shell in ten seconds that nobody types: a page of text every second or two, pasted without a pause.
const SENT: u64 = 16 << 10;

/// Octets from the shell in ten seconds that nobody reads: a large terminal (200 by 50) drawn anew more than once a second.
const FETCHED: u64 = 128 << 10;

/// Octets of a packet on average where files come: near full segments of any link in use.
const FULL: u64 = 1_000;

/// Octets fetched for each small packet that goes the other way: SFTP asks for 32 KiB at a time as clients do, and windows are adjusted
/// more rarely still (RFC 4254, 5.2); a key that redraws a terminal gets a few.
const FOR_EACH: u64 = 8 << 10;

/// Whether files go through a shell's connection in these ten seconds; `screen` comes from the shell's side, `input` goes there.
pub(super) fn is_one(screen: Way, input: Way, has_hand: bool) -> bool {
    let is_larger = |way: Way, size: u64| way.bytes > u64::from(way.packets).saturating_mul(size);
    let is_sent = input.bytes >= SENT && is_larger(input, INPUT);
    let is_fetched = screen.bytes >= FETCHED && is_larger(screen, FULL);
    let is_asked_by_hand = has_hand && screen.bytes < u64::from(input.small).saturating_mul(FOR_EACH);
    is_sent || is_fetched && !is_asked_by_hand
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(packets: u32, small: u32, bytes: u64) -> Way {
        Way {
            bytes,
            small,
            packets,
            ..Way::default()
        }
    }

    #[test]
    fn files_go_either_way_with_receipts_that_are_no_hand() {
        let receipts = way(90, 90, 6_000);
        assert!(is_one(receipts, way(480, 80, 600_000), true), "scp to a server");
        assert!(
            is_one(way(450, 0, 600_000), way(25, 25, 1_500), true),
            "sftp from one"
        );
        assert!(is_one(way(20_000, 0, 28_000_000), way(900, 900, 50_000), false));
        assert!(is_one(way(6, 6, 216), way(25, 1, 16 << 10), false), "a slow one");
    }

    #[test]
    fn a_terminal_is_none_however_much_it_shows() {
        let typed = way(30, 30, 1_200);
        assert!(!is_one(way(40, 40, 2_000), typed, true), "echoes");
        assert!(
            !is_one(way(40, 2, 60_000), way(0, 0, 0), false),
            "a monitor that redraws"
        );
        assert!(!is_one(way(160, 2, 200_000), typed, true), "pages turned quickly");
        assert!(
            !is_one(way(900, 300, 200_000), way(1, 1, 40), false),
            "lines of a build"
        );
        assert!(
            !is_one(way(3, 3, 120), way(6, 0, 6_000), false),
            "something pasted"
        );
    }
}
