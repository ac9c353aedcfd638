//! What protocols a flow is known to speak, by their numbers in the list that was given at the start.

use super::Flows;

impl Flows {
    /// Notes that the flow speaks protocol number `name` (an index into the list given at the start);
    /// `carrier_before` when what named itself before only carries this one, so that this shall be its `app_proto`.
    pub fn name_protocol(&mut self, flow: u32, name: u8, carrier_before: bool) {
        let Some(cold) = self.cold.get_mut(flow) else {
            return;
        };
        let code = name.saturating_add(1);
        if !cold.protocols.contains(&code)
            && let Some(place) = cold.protocols.iter_mut().find(|place| **place == 0)
        {
            *place = code;
        }
        if cold.app_proto == 0 || carrier_before {
            cold.app_proto = code;
        }
    }

    /// Number of the protocol that counts as `app_proto`.
    #[must_use]
    pub fn app_proto(&self, flow: u32) -> Option<u8> {
        self.cold.get(flow).and_then(|cold| cold.app_proto.checked_sub(1))
    }

    /// Takes a protocol back: it was not spoken after all.
    pub fn unname_protocol(&mut self, flow: u32, name: u8) {
        let Some(cold) = self.cold.get_mut(flow) else {
            return;
        };
        let code = name.saturating_add(1);
        for place in &mut cold.protocols {
            if *place == code {
                *place = 0;
            }
        }
        if cold.app_proto == code {
            cold.app_proto = cold
                .protocols
                .iter()
                .copied()
                .find(|place| *place != 0)
                .unwrap_or(0);
        }
    }
}
