//! Where a frame goes on when an exception passes through it: the call site
//! table of its function, in `.gcc_except_table` (Itanium C++ ABI, "Exception
//! Handling Tables"; LSB).
//!
//! ```text
//! header      lpstart encoding [lpstart]   types encoding [uleb types offset]   call site encoding, uleb length
//! call sites  start, length, landing pad   (from the function's start; no landing pad: 0)   uleb action
//! ```

/// Pointer encodings: no value, and the low four bits of the others.
const OMIT: u8 = 0xff;
const ULEB: u8 = 0x01;
const UDATA2: u8 = 0x02;
const UDATA4: u8 = 0x03;
const UDATA8: u8 = 0x04;

/// The landing pad for an exception at `pc` of the function that begins at
/// `function` and has this table; `None` where nothing is to be done there.
pub fn landing_pad(table: &[u8], function: u64, pc: u64) -> Option<u64> {
    let mut rest = Reader(table);
    // A start of its own for landing pads: no compiler for Linux writes one.
    if rest.byte()? != OMIT {
        return None;
    }
    if rest.byte()? != OMIT {
        rest.uleb()?;
    }
    let encoding = rest.byte()?;
    let length = usize::try_from(rest.uleb()?).ok()?;
    let mut sites = Reader(rest.0.get(..length.min(rest.0.len()))?);
    let offset = pc.checked_sub(function)?;
    while !sites.0.is_empty() {
        let [start, length, pad] = [sites.number(encoding)?, sites.number(encoding)?, sites.number(encoding)?];
        sites.uleb()?;
        if offset < start {
            break;
        }
        if offset - start < length {
            return (pad != 0).then(|| function.wrapping_add(pad));
        }
    }
    None
}

struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn uleb(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn fixed<const N: usize>(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
    }

    fn number(&mut self, encoding: u8) -> Option<u64> {
        match encoding {
            ULEB => self.uleb(),
            UDATA2 => self.fixed::<2>(),
            UDATA4 => self.fixed::<4>(),
            UDATA8 => self.fixed::<8>(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_site_leads_to_its_landing_pad() {
        // Sites 0x10..0x15 to 0x80, 0x20..0x28 to none, 0x30..0x31 to 0x100.
        let table = [OMIT, OMIT, ULEB, 13, 0x10, 5, 0x80, 1, 0, 0x20, 8, 0, 0, 0x30, 1, 0x80, 2];
        let pad = |pc| landing_pad(&table, 0x1000, pc);
        assert_eq!(pad(0x1010), Some(0x1080));
        assert_eq!(pad(0x1014), Some(0x1080));
        assert_eq!((pad(0x100f), pad(0x1015), pad(0x1024), pad(0x0fff)), (None, None, None, None));
        assert_eq!(pad(0x1030), None, "the table ends before the action");
        let mut whole = table.to_vec();
        whole[3] = 14;
        whole.push(0);
        assert_eq!(landing_pad(&whole, 0x1000, 0x1030), Some(0x1100));
        for end in 0..table.len() {
            let _ = landing_pad(&table[..end], 0x1000, 0x1024);
        }
    }

    #[test]
    fn words_of_four_bytes_are_read_too() {
        let mut table = vec![OMIT, OMIT, UDATA4, 13];
        table.extend([0x10_u32, 4, 0x40].iter().flat_map(|word| word.to_le_bytes()));
        table.push(0);
        assert_eq!(landing_pad(&table, 0, 0x12), Some(0x40));
        assert_eq!(landing_pad(&[OMIT, OMIT, 0x0b, 4, 0, 0, 0, 0], 0, 0), None, "signed: nobody writes it");
    }
}
