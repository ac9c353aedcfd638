//! Runs what libpcap compiles (McCanne and Jacobson, "The BSD Packet Filter", 1993, section 3.3).
//!
//! libpcap's own machine is handed one length by the crate that calls it, the captured one; `len`, `greater` and `less` ask for
//! the length on the wire, as on an interface. This one is handed both.

use pcap::BpfProgram;

/// Words of memory of the machine.
const MEMORY: usize = 16;

/// Steps after which a program is given up: libpcap's own programs jump back only along a chain of headers (`protochain`).
const MOST_STEPS: usize = 65_536;

/// One instruction, as libpcap has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    constant: u32,
}

/// A program that can be run from several threads.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine(Vec<Instruction>);

/// A packet as a program sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    /// What was captured.
    pub(super) bytes: &'a [u8],
    /// The length on the wire.
    pub(super) length_on_wire: u32,
    /// What stands for the first four octets, where the program expects something else than the capture has.
    pub(super) first_word: Option<u32>,
}

impl Seen<'_> {
    /// The number of `size` octets at `place`.
    fn load(&self, place: usize, size: usize) -> Option<u32> {
        let octets = self.bytes.get(place..)?.get(..size)?;
        if let (Some(word), 0, 4) = (self.first_word, place, size) {
            return Some(word);
        }
        Some(octets.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet)))
    }
}

impl Machine {
    /// The machine for a compiled program. `None` where an instruction is not what libpcap documents.
    pub(super) fn of(program: &BpfProgram) -> Option<Self> {
        let instructions = program.get_instructions().iter();
        instructions
            .map(|instruction| {
                let text = instruction.to_string();
                let mut numbers = text.split(' ');
                Some(Instruction {
                    code: numbers.next()?.parse().ok()?,
                    if_true: numbers.next()?.parse().ok()?,
                    if_false: numbers.next()?.parse().ok()?,
                    constant: numbers.next()?.parse().ok()?,
                })
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// Whether the program lets a packet pass. What it cannot load, or cannot go on with, it refuses.
    pub(super) fn passes(&self, seen: Seen<'_>) -> bool {
        self.run(seen).is_some_and(|kept| kept > 0)
    }

    fn run(&self, seen: Seen<'_>) -> Option<u32> {
        let (mut a, mut x) = (0_u32, 0_u32);
        let mut memory = [0_u32; MEMORY];
        let mut place = 0_usize;
        for _ in 0..MOST_STEPS {
            let Instruction {
                code,
                if_true,
                if_false,
                constant: k,
            } = *self.0.get(place)?;
            place = place.wrapping_add(1);
            match code & 7 {
                0 | 1 => {
                    let size = match code & 0x18 {
                        0 => 4,
                        8 => 2,
                        _ => 1,
                    };
                    let value = match code & 0xe0 {
                        0 => k,
                        0x20 => seen.load(k as usize, size)?,
                        0x40 => seen.load((x as usize).checked_add(k as usize)?, size)?,
                        0x60 => *memory.get(k as usize)?,
                        0x80 => seen.length_on_wire,
                        0xa0 => (seen.load(k as usize, 1)? & 15) << 2,
                        _ => return None,
                    };
                    if code & 7 == 0 {
                        a = value;
                    } else {
                        x = value;
                    }
                }
                2 => *memory.get_mut(k as usize)? = a,
                3 => *memory.get_mut(k as usize)? = x,
                4 => a = calculate(code & 0xf0, a, if code & 8 == 0 { k } else { x })?,
                5 => {
                    let other = if code & 8 == 0 { k } else { x };
                    let holds = match code & 0xf0 {
                        // Signed: the only jump that may go back.
                        0 => {
                            place = place.wrapping_add_signed(k.cast_signed() as isize);
                            continue;
                        }
                        0x10 => a == other,
                        0x20 => a > other,
                        0x30 => a >= other,
                        0x40 => a & other != 0,
                        _ => return None,
                    };
                    place = place.wrapping_add(usize::from(if holds { if_true } else { if_false }));
                }
                6 => {
                    return match code & 0x18 {
                        0 => Some(k),
                        8 => Some(x),
                        0x10 => Some(a),
                        _ => None,
                    };
                }
                _ => {
                    if code & 0xf8 == 0x80 {
                        a = x;
                    } else {
                        x = a;
                    }
                }
            }
        }
        None
    }
}

/// Arithmetic of two numbers; a division by zero refuses the packet.
fn calculate(operation: u16, a: u32, other: u32) -> Option<u32> {
    Some(match operation {
        0 => a.wrapping_add(other),
        0x10 => a.wrapping_sub(other),
        0x20 => a.wrapping_mul(other),
        0x30 => a.checked_div(other)?,
        0x40 => a | other,
        0x50 => a & other,
        0x60 => a.checked_shl(other).unwrap_or(0),
        0x70 => a.checked_shr(other).unwrap_or(0),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(other)?,
        0xa0 => a ^ other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep};
    use pcap::{Capture, Linktype};
    use proptest::prelude::*;

    /// Expressions that use every kind of instruction between them.
    const FILTERS: [&str; 22] = [
        "ip",
        "ip6",
        "udp port 53",
        "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
        "port 53 or port 80 and not host 198.51.100.80",
        "net 192.168.0.0/16",
        "vlan 5 and udp",
        "vlan and vlan and ip",
        "mpls and udp port 53",
        "pppoes and ip",
        "ip[2:2] - ((ip[0] & 0xf) << 2) > 100",
        "(ip[8] * 3 / 2) % 7 = 5",
        "len > 80",
        "greater 100",
        "less 100",
        "ip6 protochain 17",
        "ether host 02:00:5e:00:00:20",
        "ether[0] ^ 1 = 3",
        "tcp portrange 1-1023",
        "udp[8:4] | 1 != 0",
        "ip[ip[0] & 15] < 10",
        "-ip[1] < 10",
    ];

    fn compiled(filter: &str) -> BpfProgram {
        let handle = Capture::dead(Linktype::ETHERNET).unwrap();
        handle.compile(filter, true).unwrap()
    }

    fn whole(bytes: &[u8]) -> Seen<'_> {
        Seen {
            bytes,
            length_on_wire: u32::try_from(bytes.len()).unwrap(),
            first_word: None,
        }
    }

    fn frames() -> Vec<Vec<u8>> {
        let ethernet = || PacketBuilder::ethernet2([2, 0, 0x5e, 0, 0, 0x20], [2, 0, 0x5e, 0, 0, 1]);
        let inner = [10, 0, 0, 1];
        let below: [&dyn Fn() -> PacketBuilderStep<IpHeaders>; 4] = [
            &|| ethernet().ipv4([192, 168, 10, 20], [198, 51, 100, 80], 64),
            &|| {
                ethernet()
                    .single_vlan(5.try_into().unwrap())
                    .ipv4(inner, inner, 3)
            },
            &|| {
                let (outer, inside) = (100.try_into().unwrap(), 5.try_into().unwrap());
                ethernet().double_vlan(outer, inside).ipv4(inner, inner, 9)
            },
            &|| ethernet().ipv6([0x20; 16], [0xfd; 16], 64),
        ];
        let mut frames = Vec::new();
        for (port, length) in [(53, 20), (80, 90), (443, 300)] {
            for builder in below {
                let (mut udp, mut tcp) = (Vec::new(), Vec::new());
                let payload = vec![7; length];
                builder().udp(40_000, port).write(&mut udp, &payload).unwrap();
                builder()
                    .tcp(40_000, port, 1, 64)
                    .syn()
                    .write(&mut tcp, &payload)
                    .unwrap();
                frames.extend([udp, tcp]);
            }
        }
        frames
    }

    #[test]
    fn what_passes_is_what_passes_with_libpcap() {
        for filter in FILTERS {
            let program = compiled(filter);
            let machine = Machine::of(&program).unwrap();
            let mut passed = 0;
            for frame in frames() {
                for cut in [frame.len(), 60, 40, 16, 3] {
                    let bytes = &frame[..cut.min(frame.len())];
                    let passes = machine.passes(whole(bytes));
                    passed += usize::from(passes);
                    assert_eq!(passes, program.filter(bytes), "{filter}: {bytes:02x?}");
                }
            }
            let is_of_these = !["mpls and udp port 53", "pppoes and ip"].contains(&filter);
            assert_eq!(passed > 0, is_of_these, "{filter}: {passed}");
        }
    }

    #[test]
    fn lengths_are_those_on_the_wire() {
        let machine = Machine::of(&compiled("greater 1000")).unwrap();
        let cut = Seen {
            length_on_wire: 1_514,
            ..whole(&[0; 96])
        };
        assert!(machine.passes(cut));
        assert!(!machine.passes(whole(&[0; 96])));
    }

    #[test]
    fn a_program_without_an_end_is_given_up() {
        let round = Instruction {
            code: 5,
            constant: u32::MAX,
            ..Instruction::default()
        };
        assert!(!Machine(vec![round]).passes(whole(&[])));
        assert!(!Machine(Vec::new()).passes(whole(&[])));
    }

    proptest! {
        #[test]
        fn any_bytes_pass_as_with_libpcap(filter in 0..FILTERS.len(), bytes in prop::collection::vec(any::<u8>(), 0..120), at in 12..14_usize) {
            let program = compiled(FILTERS[filter]);
            let mut bytes = bytes;
            // Mostly IP, so that programs go deep.
            if let Some(kind) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *kind = [8, 0];
            }
            let machine = Machine::of(&program).unwrap();
            prop_assert_eq!(machine.passes(whole(&bytes)), program.filter(&bytes));
        }
    }
}
