//! Names of the link types that are not understood, so that a summary can say what was passed over
//! (registry of `LINKTYPE_` values, tcpdump.org/linktypes.html).

/// The cause under which frames of this link type are counted.
pub(super) fn not_understood(number: u16) -> &'static str {
    CAUSES
        .binary_search_by_key(&number, |(listed, _)| *listed)
        .ok()
        .and_then(|at| CAUSES.get(at))
        .map_or("link types outside the registry not understood", |(_, cause)| {
            cause
        })
}

/// By number, ascending.
const CAUSES: &[(u16, &str)] = &[
    (2, "link type 2 (EXP_ETHERNET) not understood"),
    (3, "link type 3 (AX25) not understood"),
    (4, "link type 4 (PRONET) not understood"),
    (5, "link type 5 (CHAOS) not understood"),
    (7, "link type 7 (ARCNET_BSD) not understood"),
    (100, "link type 100 (ATM_RFC1483) not understood"),
    (106, "link type 106 (ATM_CLIP) not understood"),
    (114, "link type 114 (LTALK) not understood"),
    (116, "link type 116 (IPFILTER) not understood"),
    (118, "link type 118 (CISCO_IOS) not understood"),
    (120, "link type 120 (AIRONET) not understood"),
    (122, "link type 122 (IP_OVER_FC) not understood"),
    (123, "link type 123 (SUNATM) not understood"),
    (128, "link type 128 (TZSP) not understood"),
    (130, "link type 130 (JUNIPER_MLPPP) not understood"),
    (131, "link type 131 (JUNIPER_MLFR) not understood"),
    (132, "link type 132 (JUNIPER_ES) not understood"),
    (133, "link type 133 (JUNIPER_GGSN) not understood"),
    (134, "link type 134 (JUNIPER_MFR) not understood"),
    (135, "link type 135 (JUNIPER_ATM2) not understood"),
    (136, "link type 136 (JUNIPER_SERVICES) not understood"),
    (137, "link type 137 (JUNIPER_ATM1) not understood"),
    (138, "link type 138 (APPLE_IP_OVER_IEEE1394) not understood"),
    (139, "link type 139 (MTP2_WITH_PHDR) not understood"),
    (140, "link type 140 (MTP2) not understood"),
    (141, "link type 141 (MTP3) not understood"),
    (142, "link type 142 (SCCP) not understood"),
    (143, "link type 143 (DOCSIS) not understood"),
    (144, "link type 144 (LINUX_IRDA) not understood"),
    (147, "link type 147 (USER0) not understood"),
    (148, "link type 148 (USER1) not understood"),
    (149, "link type 149 (USER2) not understood"),
    (150, "link type 150 (USER3) not understood"),
    (151, "link type 151 (USER4) not understood"),
    (152, "link type 152 (USER5) not understood"),
    (153, "link type 153 (USER6) not understood"),
    (154, "link type 154 (USER7) not understood"),
    (155, "link type 155 (USER8) not understood"),
    (156, "link type 156 (USER9) not understood"),
    (157, "link type 157 (USER10) not understood"),
    (158, "link type 158 (USER11) not understood"),
    (159, "link type 159 (USER12) not understood"),
    (160, "link type 160 (USER13) not understood"),
    (161, "link type 161 (USER14) not understood"),
    (162, "link type 162 (USER15) not understood"),
    (165, "link type 165 (BACNET_MS_TP) not understood"),
    (166, "link type 166 (PPP_PPPD) not understood"),
    (167, "link type 167 (JUNIPER_PPPOE) not understood"),
    (169, "link type 169 (GPRS_LLC) not understood"),
    (170, "link type 170 (GPF_T) not understood"),
    (171, "link type 171 (GPF_F) not understood"),
    (177, "link type 177 (LINUX_LAPD) not understood"),
    (178, "link type 178 (JUNIPER_ETHER) not understood"),
    (179, "link type 179 (JUNIPER_PPP) not understood"),
    (180, "link type 180 (JUNIPER_FRELAY) not understood"),
    (181, "link type 181 (JUNIPER_CHDLC) not understood"),
    (182, "link type 182 (MFR) not understood"),
    (187, "link type 187 (BLUETOOTH_HCI_H4) not understood"),
    (189, "link type 189 (USB_LINUX) not understood"),
    (190, "link type 190 (CAN20B) not understood"),
    (195, "link type 195 (IEEE802_15_4_WITHFCS) not understood"),
    (196, "link type 196 (SITA) not understood"),
    (197, "link type 197 (ERF) not understood"),
    (201, "link type 201 (BLUETOOTH_HCI_H4_WITH_PHDR) not understood"),
    (202, "link type 202 (AX25_KISS) not understood"),
    (203, "link type 203 (LAPD) not understood"),
    (204, "link type 204 (PPP_WITH_DIR) not understood"),
    (205, "link type 205 (C_HDLC_WITH_DIR) not understood"),
    (206, "link type 206 (FRELAY_WITH_DIR) not understood"),
    (209, "link type 209 (IPMB_LINUX) not understood"),
    (215, "link type 215 (IEEE802_15_4_NONASK_PHY) not understood"),
    (220, "link type 220 (USB_LINUX_MMAPPED) not understood"),
    (224, "link type 224 (FC_2) not understood"),
    (225, "link type 225 (FC_2_WITH_FRAME_DELIMS) not understood"),
    (226, "link type 226 (IPNET) not understood"),
    (227, "link type 227 (CAN_SOCKETCAN) not understood"),
    (230, "link type 230 (IEEE802_15_4_NOFCS) not understood"),
    (231, "link type 231 (DBUS) not understood"),
    (235, "link type 235 (DVB_CI) not understood"),
    (236, "link type 236 (MUX27010) not understood"),
    (237, "link type 237 (STANAG_5066_D_PDU) not understood"),
    (240, "link type 240 (NETANALYZER) not understood"),
    (241, "link type 241 (NETANALYZER_TRANSPARENT) not understood"),
    (242, "link type 242 (IPOIB) not understood"),
    (243, "link type 243 (MPEG_2_TS) not understood"),
    (244, "link type 244 (NG40) not understood"),
    (245, "link type 245 (NFC_LLCP) not understood"),
    (247, "link type 247 (INFINIBAND) not understood"),
    (248, "link type 248 (SCTP) not understood"),
    (249, "link type 249 (USBPCAP) not understood"),
    (250, "link type 250 (RTAC_SERIAL) not understood"),
    (251, "link type 251 (BLUETOOTH_LE_LL) not understood"),
    (252, "link type 252 (WIRESHARK_UPPER_PDU) not understood"),
    (253, "link type 253 (NETLINK) not understood"),
    (254, "link type 254 (BLUETOOTH_LINUX_MONITOR) not understood"),
    (255, "link type 255 (BLUETOOTH_BREDR_BB) not understood"),
    (256, "link type 256 (BLUETOOTH_LE_LL_WITH_PHDR) not understood"),
    (257, "link type 257 (PROFIBUS_DL) not understood"),
    (258, "link type 258 (PKTAP) not understood"),
    (259, "link type 259 (EPON) not understood"),
    (260, "link type 260 (IPMI_HPM_2) not understood"),
    (261, "link type 261 (ZWAVE_R1_R2) not understood"),
    (262, "link type 262 (ZWAVE_R3) not understood"),
    (263, "link type 263 (WATTSTOPPER_DLM) not understood"),
    (264, "link type 264 (ISO_14443) not understood"),
    (265, "link type 265 (RDS) not understood"),
    (266, "link type 266 (USB_DARWIN) not understood"),
    (268, "link type 268 (SDLC) not understood"),
    (270, "link type 270 (LORATAP) not understood"),
    (271, "link type 271 (VSOCK) not understood"),
    (272, "link type 272 (NORDIC_BLE) not understood"),
    (273, "link type 273 (DOCSIS31_XRA31) not understood"),
    (274, "link type 274 (ETHERNET_MPACKET) not understood"),
    (275, "link type 275 (DISPLAYPORT_AUX) not understood"),
    (278, "link type 278 (OPENVIZSLA) not understood"),
    (279, "link type 279 (EBHSCR) not understood"),
    (280, "link type 280 (VPP_DISPATCH) not understood"),
    (281, "link type 281 (DSA_TAG_BRCM) not understood"),
    (282, "link type 282 (DSA_TAG_BRCM_PREPEND) not understood"),
    (283, "link type 283 (IEEE802_15_4_TAP) not understood"),
    (284, "link type 284 (DSA_TAG_DSA) not understood"),
    (285, "link type 285 (DSA_TAG_EDSA) not understood"),
    (286, "link type 286 (ELEE) not understood"),
    (287, "link type 287 (Z_WAVE_SERIAL) not understood"),
    (288, "link type 288 (USB_2_0) not understood"),
    (289, "link type 289 (ATSC_ALP) not understood"),
    (290, "link type 290 (ETW) not understood"),
    (292, "link type 292 (ZBOSS_NCP) not understood"),
    (293, "link type 293 (USB_2_0_LOW_SPEED) not understood"),
    (294, "link type 294 (USB_2_0_FULL_SPEED) not understood"),
    (295, "link type 295 (USB_2_0_HIGH_SPEED) not understood"),
    (296, "link type 296 (AUERSWALD_LOG) not understood"),
    (298, "link type 298 (SILABS_DEBUG_CHANNEL) not understood"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_link_type_is_named_by_number_and_name() {
        assert_eq!(not_understood(189), "link type 189 (USB_LINUX) not understood");
        assert_eq!(
            not_understood(65_535),
            "link types outside the registry not understood"
        );
    }

    #[test]
    fn the_table_is_sorted_and_each_text_holds_its_number() {
        assert!(CAUSES.is_sorted_by_key(|(number, _)| *number));
        assert!(
            CAUSES
                .iter()
                .all(|(number, cause)| cause.starts_with(&format!("link type {number} (")))
        );
    }
}
