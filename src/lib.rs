//! farmhawk finds laptop farms in network traffic: captures in, findings and farms out.
//!
//! This page is for who changes the program. It says which stages there are, what each may know, where an addition
//! goes, and which rules the tests hold.
//!
//! # One direction
//!
//! ```text
//!            per packet, by partition: share nothing, allocate nothing             per event, in one order of time
//!  ┌─────────┐   ┌────────┐   ┌──────┐   ┌─────────┐ ║  ┌─────────┐   ┌────────┐   ┌─────────┐   ┌─────────┐   ┌─────────┐   ┌────────┐
//!  │ capture │──>│ decode │──>│ flow │──>│ dissect │─║─>│ observe │──>│ detect │──>│ profile │──>│ cluster │──>│ explain │──>│ report │
//!  └─────────┘   └────────┘   └──────┘   └─────────┘ ║  └─────────┘   └────────┘   └─────────┘   └─────────┘   └─────────┘   └────────┘
//!   Block of      Segment       Flow     FactLog,    ║  Observation    Finding     HostProfile     Group         Farm          Case
//!   frames                               FlowRecord  ║
//! ```
//!
//! * [`capture`] fills a [`model::block::Block`] with frames, in place, without a copy for each.
//! * [`decode`] turns frames into [`model::segment::Segment`]s: the innermost conversation and each tunnel around it.
//! * [`flow`] keeps the conversations of one partition; [`dissect`] reads the first bytes of each and says
//!   [`model::fact`]s.
//! * [`observe`] knows whose address is whose and what it had resolved; [`detect`] recognises tools
//!   ([`signatures`]) and places ([`geo`]) and makes findings.
//! * [`profile`] gathers what one machine did, [`cluster`] which machines belong together, [`explain`] what explains
//!   that best; [`report`] renders the finished [`model::case::Case`] and computes nothing.
//! * [`pipeline`] wires the stages, [`cli`] is the command line, [`lab`] writes synthetic captures, [`settings`] and
//!   [`document`] read what the user configures.
//!
//! The left side of the double line runs in eight partitions that own their flows; the right side is one value that sees all
//! events in one order. Blocks end where the input says, partitions are fixed in number, and every stage takes blocks
//! in order, so that the number of threads decides nothing but the time it takes ([`pipeline::schedule`]).
//!
//! # Where to add what
//!
//! | what | one new file | one line |
//! | --- | --- | --- |
//! | a protocol | `dissect/<protocol>.rs`: [`dissect::Dissector`] and [`dissect::Dissection`] | `dissect/registry.rs` |
//! | a tool | none: an entry in `signatures/catalogue/<class>.toml` | |
//! | a conclusion about hosts | `detect/<what>.rs` or `detect/place/<what>.rs`: [`detect::Conclusion`] | `detect/mod.rs` |
//! | a term between two hosts | `cluster/terms/<term>.rs` | `cluster/terms/mod.rs` |
//! | a cue of the model | `explain/cues/<cue>.rs` and its rows in `explain/weights.toml` | `explain/cues/mod.rs` |
//! | an output of a case folder | `report/<format>.rs` | `report/registry.rs` |
//! | a source of packets | `capture/<source>.rs`: [`capture::Source`] | where sources are opened |
//! | a scenario of the laboratory | `lab/scenarios/<scenario>.rs` | `lab/scenarios/mod.rs` |
//!
//! # Rules that tests hold
//!
//! 1. A stage imports from the stages of its row in `tests/behaviour/layering.rs` and from [`model`], and from
//!    nothing else. Only [`cli`] prints or exits.
//! 2. Packet time is the only time; clippy forbids the clock outside `capture::live` and `cli`.
//! 3. No iteration over a hash map decides anything that is written.
//! 4. Every table has a bound in [`settings::limits`] and a counter for what met it.
//! 5. Decoders and dissectors are total: any bytes give a value or nothing. `fuzz/` holds a target for each.
//! 6. The same input gives the same bytes out, for any number of threads and any order of files.
//!
//! # Where this differs from the first design, and why
//!
//! * A source fills blocks instead of lending single frames: reading straight into the block that travels through the
//!   pipeline saves the copy that handing packets to another thread would cost.
//! * There is no queue between fixed threads: any thread takes any stage's next block (see [`pipeline::schedule`]).
//!   Stages differ in cost with every capture, and with two threads fixed roles leave one idle.
//! * Rows of flows are written by a stage of their own behind the analysis ([`pipeline::rows`]), and the end of an analysis builds its records
//!   by several threads ([`model::threads`]): on a mirror port both were what a second thread waited for.
//! * The program keeps freed memory for a second before it gives it back to the system: clearing the same pages again for every block cost
//!   a fifth of the time of many short flows. It is the one unsafe call of the program (`main.rs`).
//! * Long lists grow by pieces ([`model::pieces`]) and small maps by what they need ([`model::few`]); what only served to place flows is given up before
//!   the records of the end are made. Vectors that double and maps with room for eleven were a quarter of the memory.
//! * A capture's comments stand in the summary (`comments`), because the reader of a report is the one they were written for, and every summary has a
//!   `timestamp`, since every record must: of an empty capture the beginning of 1970.
//! * When people are active is learnt from one connection a minute, not two as the design had it: activity that is counted in vain
//!   speaks for whoever uses the machine, activity that is missed against him ([`observe::presence`]).
//! * What a flow's bytes said travels in the flow's record; only what is about hosts (answers, leases, announcements) is told
//!   at once. A detector then sees names and volume together, and a million flows need no table of facts.
//! * SHA-256 of a capture is computed when a case folder is written or the captures are small (`--digest`): it costs
//!   0.5 s a gigabyte, more than the analysis of bulk traffic.
//! * [`document`] (TOML with line numbers) is a module of its own, because the catalogue and the policy both need it.
//! * Flow records are written as JSON by the project itself (`report::members`), everything else by serde: a million records made
//!   the serializer the dearest stage after decoding.
//! * The program takes mimalloc by default (feature `mimalloc`): the system's allocator took a sixth of the time of a capture of
//!   many small flows.
//! * A flow's end is found by looking at it every half minute ([`flow::lifetime`]), because a connection that closes, or a
//!   question that is answered, comes to have a shorter time-out than it began with.
//! * Hosts about which nothing was found are counted, and explained only where an output lists every host
//!   ([`pipeline::quiet`]): they are nearly all of a large network, and the same can be said of all of them.
//! * Records say more than was first agreed: an item of evidence has its false-positive `note` apart from `what`, and a host has
//!   `summary`, `next_question` and `not_observable` as a farm has, because it is judged by itself too; the
//!   summary says where the captures were taken and who says so (`vantage`), because it decides the priors.
//! * Round trips and loops are measured ([`flow::timing`]) of flows that speak remote access or a tunnel, or behave like a
//!   session for two bins of ten seconds, and of nothing else: one bit in the hot record says so. `detect::hidden_leg` judges them.
//! * Of a SYN that has passed a router its time stamp and IP identification are kept: six octets a flow, from which
//!   clocks and counters behind one address are told apart at the end ([`detect`]).
//! * A packet that several captures show counts once: the decoder remembers packets' fingerprints across captures where there are several
//!   ([`decode`]).
//! * A handshake inside TLS (Trojan, VLESS and the like) is looked for only where the policy asks: the lengths of records behind the
//!   handshake are octets that every other TLS connection may let go ([`dissect::Dissector::start_closely`]).
//! * Lengths of payloads that no dissector claims are counted only where a signature asks for them, and those of TLS records only of clients that
//!   offer no ALPN and end their ciphers as OpenSSL does ([`model::lengths`]): everybody else's heads end where they ended before. What is known at the end
//!   of a head alone is said there ([`dissect::Dissection::end`]).
//! * Beside the answers to the screen, the opening of a connection shows a leg behind a relay ([`flow::opening`], `detect::opening_answers`): clients
//!   of SSH and of RDP without frame acknowledgements answer nothing later on.
//! * A farm says what clustering by density (HDBSCAN) sees where it does not see the same group (`second_opinion`), and a reason's weight
//!   stands against the benign explanations that everything else leaves ([`explain::posterior::weigh_cue`]).
//! * A member of a farm says `is_kvm` where it is an IP KVM, so that nobody counts it among the machines that somebody works at, and a
//!   farm says `operation` where groups at other places share its controller or private server: each place keeps its own verdict.
//! * A flow has what answers in the capture called its ends (`reverse_name`), and a host its public addresses with how each was learnt, when, and
//!   their network (`public` beside `public_ips`): the kind of a network and its source stand in every record, also where only a name told it.
//! * Decoding remembers who was seen inside of which tunnel (`decode::tunnel::ends`), because inner and outer packets go to different partitions
//!   afterwards; the outside of a tunnel is a worker's line at his employer's gateway. Where a gateway's outer side is encrypted and its inner
//!   side is captured apart, nothing in the packets joins the two, and nothing is said.
//! * A place that the policy declares as co-working space, dormitory, data centre or home says what kind of line it is, whatever a
//!   database has ([`explain::cues`]); offices and clients' sites say so only through the inventory.
//! * The model is measured by a program beside the crate, `examples/evaluate` (`make evaluate`), on what the laboratory writes; it
//!   reads the truth only after the analysis.
//! * Hours, presence, coverage, the length of sessions and hand-overs are judged on days whose working hours captures covered, and nowhere
//!   else ([`model::watched`], made once from when each capture really ran, [`capture::watching`]). Elsewhere they are not observable:
//!   a capture of the same hour of every day has that hour's hours, whoever works there.
//! * A local address has an entry for each link address that carried or claimed it ([`observe`]): DHCP gives it to one machine after another,
//!   and two houses use the same private ones. Whose each entry was is judged at the end, when routers are known.
//! * What a foreign address sends through a tunnel into which nothing of ours sends stands in an address space of its own
//!   ([`model::address::SpaceKind::Stranger`]), where no host is seen: anybody can send such frames.
//! * A finding says its host's own port (`host_port`) beside the other end's (`peer_port`): whoever is called by somebody has both, and the port that
//!   tells the service is its own.
//! * A summary says why what was not seen may well be there (`little`), and has no `vantage` where no host was seen: minutes of traffic and cut
//!   frames show nothing absent.
//! * `--explain` adds the cells (`cell` of a reason) and the steps (`tally`) by which a posterior can be reached by hand; other records
//!   leave them out, because they are longer than what they explain.
//! * An address has holders in time, and a router is its link address and its network ([`observe`]): yesterday's holder did not do what today's does,
//!   and redundant routers share one link address.
//! * Of a level that only excludes some of a cue's levels the table's rows are added up ("none or router" of `dev_vpn`): a VPN on a router that
//!   nothing could show is neither there nor absent ([`explain::cues`]).
//! * Beside several kinds of evidence a verdict above a review needs that somebody was seen to work at a group's machines, and where they are few, that something
//!   joins them beside the place (`two_key.needs` of the model): benches and families reach all the rest.
//! * A flow that has too many steps of activity gives up keep-alives before anything that somebody did ([`flow`]).
//! * What a machine offers to others is remembered (`detect::services`), because servers are administered and not worked at: of them, by that or
//!   by their names, nothing above a review is said ([`explain::verdict`]), whatever else fits.
//! * Minutes inside of a machine's tunnels are neither activity nor its absence ([`model::unseen`]), and a machine with a connection that was joined in its
//!   middle and shows more than it gets has sessions that are not observable: what could not be seen is not absent.
//! * Without `-n`, the address that takes part in nearly all conversations of a capture without local addresses is taken for local
//!   ([`observe::outsiders`]): a line outside its router has no other.
//! * Whose a machine is is told from the days on which it uses each organisation ([`model::tenancy`]), where the design took the most used name:
//!   a pool's machine has several in turn, an operator with three jobs has three at once, and a number that the names do not give is not
//!   observable. Names that stand beside different customers join nothing, also where no table has them.
//! * The numbers of the model lie in data files beside the stages that use them (`thresholds.toml`, the tables), because a stage imports no other
//!   stage's; one hash covers them all ([`explain::weights`]). What stays in code are bounds, facts of protocols and of physics, and steps of algorithms.
//! * Who goes from one machine of a group to others and back has not plainly finished at the first: no session of his is called short for that.
//! * libpcap compiles capture filters, and a machine of ours runs them ([`capture`]): through the crate that calls it, libpcap's own one knows
//!   of one length of a packet only, and of one system's address families.
//! * An address names a tool only in a conversation with it ([`signatures::conversation`]): anybody can be sent a packet, and an indicator on
//!   addresses that does not say which conversations it means is refused.
//! * OpenVPN inside what hides it is looked for by the lengths of packets only where the policy asks ([`dissect::openvpn::lengths`]): streams that
//!   nobody knows are let go at once otherwise.
//! * The default database of places is unpacked by the build script: decompressing it at every start cost more than
//!   the analysis of most captures.

pub mod capture;
pub mod cli;
pub mod cluster;
pub mod decode;
pub mod detect;
pub mod dissect;
pub mod document;
pub mod explain;
pub mod flow;
pub mod geo;
pub mod lab;
pub mod model;
pub mod observe;
pub mod pipeline;
pub mod profile;
pub mod report;
pub mod settings;
pub mod signatures;
