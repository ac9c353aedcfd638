//! JA4 in flow records against the values that its authors, and others who compute it, publish for the same captures.

use std::collections::BTreeMap;

use crate::program::{every_record_of, labelled_captures};

/// Each value of a capture's flows, and of how many.
type Counts = &'static [(&'static str, usize)];

const FOXIO: &str = "FoxIO-LLC/ja4 rust/ja4/src/snapshots, python/test/testdata";
const NDPI: &str = "ntop/nDPI tests/cfgs/default/result";

/// JA4 that others publish for these captures, and where.
const PUBLISHED: [(&str, &str, Counts); 13] = [
    (
        "ar-socks-https-example.pcap",
        FOXIO,
        &[("t10d230100_6a57a6f57151_000000000000", 3)],
    ),
    (
        "j4-badcurveball.pcap",
        FOXIO,
        &[("t13d1615h2_46e7e9700bed_45f260be83e2", 1)],
    ),
    (
        "j4-browsers-x509.pcapng",
        FOXIO,
        &[("t13d1516h2_8daaf6152771_e5627efa2ab1", 3)],
    ),
    (
        "j4-chrome-cloudflare-quic-with-secrets.pcapng",
        FOXIO,
        &[
            ("q13d0310h3_55b375c5d22e_cd85d2d88918", 1),
            ("t13d1516h2_8daaf6152771_e5627efa2ab1", 1),
        ],
    ),
    (
        "j4-latest.pcapng",
        FOXIO,
        &[
            ("t12d190800_d83cc789557e_7af1ed941c26", 1),
            ("t13d1516h2_8daaf6152771_9b887d9acb53", 1),
            ("t13d1516h2_8daaf6152771_e5627efa2ab1", 3),
        ],
    ),
    (
        "j4-tls12.pcap",
        FOXIO,
        &[("t13d1715h2_5b57614c22b0_3d5424432f57", 1)],
    ),
    (
        "j4-tls3.pcapng",
        FOXIO,
        &[
            ("q13d0310h3_55b375c5d22e_cd85d2d88918", 5),
            ("q13d0311h3_55b375c5d22e_3512bcbbc9ec", 1),
            ("t13d1516h2_8daaf6152771_9b887d9acb53", 3),
            ("t13d1516h2_8daaf6152771_e5627efa2ab1", 4),
        ],
    ),
    (
        "nd-facebook.pcap",
        NDPI,
        &[
            ("t12d1310h2_27a29bd8d6e6_85173d161f9a", 1),
            ("t12d1311h2_27a29bd8d6e6_c4623e4f4474", 1),
        ],
    ),
    (
        "nd-quic-23.pcap",
        NDPI,
        &[("q13d0308h2_55b375c5d22e_23ed935430f2", 1)],
    ),
    (
        "nd-quic-29.pcap",
        NDPI,
        &[("q13d0512h9_d55e91d5c3b2_cd318bf3b157", 1)],
    ),
    (
        "nd-quic-mvfst-27.pcapng",
        NDPI,
        &[("q00d0108h5_0f2cb44170f4_f4b4187450f5", 1)],
    ),
    (
        "nd-rdp-over-tls.pcap",
        NDPI,
        &[("t12i280600_bbd4f008d9b2_f28add8e7af0", 1)],
    ),
    (
        "sv-ja4-tls.pcap",
        "OISF/suricata-verify tests/ja4-tls/test.yaml",
        &[("t12i1810s1_27d4652c4487_06a4338d0495", 1)],
    ),
];

#[test]
fn ja4_in_flow_records_is_what_others_publish() {
    let Some(captures) = labelled_captures() else {
        return;
    };
    for (name, publisher, published) in PUBLISHED {
        let capture = captures.iter().find(|capture| capture.name == name).unwrap();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for flow in every_record_of(&capture.path).of("flow") {
            if let Some(fingerprint) = flow.pointer("/tls/ja4") {
                *counts
                    .entry(fingerprint.as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
        let counts: Vec<(&str, usize)> = counts
            .iter()
            .map(|(text, count)| (text.as_str(), *count))
            .collect();
        assert_eq!(counts, published, "{name}: {publisher}");
    }
}
