use super::*;

const CODE: u64 = 0x1000;
const RDI: usize = 7;
const RBX: usize = 3;

/// The only landing pad, behind a call that returns there; one that returns behind
/// the end does not.
struct Pad(Option<(u64, u64)>);

impl Calls for Pad {
    fn never_returns(&mut self, behind: u64) -> bool {
        behind == CODE + 0x100
    }

    fn pad(&mut self, behind: u64) -> Option<u64> {
        self.0.filter(|(call, _)| CODE + call == behind).map(|(_, pad)| CODE + pad)
    }
}

/// What is in the registers at the call that returns to the offset `behind`.
fn flow(code: &[u8], behind: u64, pad: Option<(u64, u64)>) -> Option<Origins> {
    let mut page = vec![0xcc; 4096];
    page[..code.len()].copy_from_slice(code);
    let read = |address: u64, buffer: &mut [u8]| {
        let is_there = address == CODE && buffer.len() == page.len();
        if is_there {
            buffer.copy_from_slice(&page);
        }
        is_there
    };
    let memory = Memory::new(&read);
    at_call(&memory, (CODE, 0x100), CODE + behind, &mut Pad(pad))
}

#[test]
fn what_is_put_into_registers_is_there_at_the_call() {
    // push %rbx; mov %rdi,%rbx; lea 8(%rdi),%rdi; call; ret
    let code = [0x53, 0x48, 0x89, 0xfb, 0x48, 0x8d, 0x7f, 8, 0xe8, 0, 0, 0, 0, 0x5b, 0xc3];
    let found = flow(&code, 13, None).unwrap();
    assert_eq!((found[RBX], found[RDI]), (Some(Origin::Entry(RDI, 0)), Some(Origin::Entry(RDI, 8))));
    assert_eq!(found[RSP], Some(Origin::Entry(RSP, 8_u64.wrapping_neg())));
    let mut entry = [None; REGISTERS];
    assert_eq!(found[RDI].unwrap().value(&entry), None);
    entry[RDI] = Some(0x4000);
    assert_eq!(found[RDI].unwrap().value(&entry), Some(0x4008));
    // lea 0x10(%rip),%rbx; xor %edi,%edi; call; call: the second keeps rbx, and rdi
    // is not known any more
    let code = [0x48, 0x8d, 0x1d, 0x10, 0, 0, 0, 0x31, 0xff, 0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3];
    assert_eq!(flow(&code, 14, None).unwrap()[RDI], Some(Origin::Number(0)));
    let found = flow(&code, 19, None).unwrap();
    assert_eq!((found[RBX], found[RDI]), (Some(Origin::Number(CODE + 0x17)), None));
}

#[test]
fn all_ways_must_agree() {
    // mov $1,%ebx; je +5; mov $2,%ebx; call; ret
    let code = [0xbb, 1, 0, 0, 0, 0x74, 5, 0xbb, 2, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3];
    assert_eq!(flow(&code, 17, None).unwrap()[RBX], None);
    let mut same = code;
    same[8] = 1;
    assert_eq!(flow(&same, 17, None).unwrap()[RBX], Some(Origin::Number(1)));
    // A loop that changes it: mov $1,%ebx; call; mov $2,%ebx; jmp to the call
    let code = [0xbb, 1, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0xeb, 0xf4];
    assert_eq!(flow(&code, 10, None).unwrap()[RBX], None);
    // An exception that comes back: mov $1,%ebx; call; call; ret; pad: mov $2,%ebx; jmp to the second
    let code = [0xbb, 1, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3, 0xbb, 2, 0, 0, 0, 0xeb, 0xf3];
    assert_eq!(flow(&code, 15, None).unwrap()[RBX], Some(Origin::Number(1)));
    assert_eq!(flow(&code, 15, Some((10, 16))).unwrap()[RBX], None);
}

#[test]
fn what_cannot_be_followed_has_no_answer() {
    // call; jmp *%rax: perhaps back to the call
    assert_eq!(flow(&[0xe8, 0, 0, 0, 0, 0xff, 0xe0], 5, None), None);
    // call; jmp *0(,%rax,8): a table of cases
    assert_eq!(flow(&[0xe8, 0, 0, 0, 0, 0xff, 0x24, 0xc5, 0, 0, 0, 0], 5, None), None);
    // call; jmp *8(%rax): another function's turn
    assert!(flow(&[0xe8, 0, 0, 0, 0, 0xff, 0x60, 8], 5, None).is_some());
    // ret: no way leads to the call
    assert_eq!(flow(&[0xc3, 0xe8, 0, 0, 0, 0], 6, None), None);
    // mov %bl,%al; movzbl %bl,%ebx; call
    let found = flow(&[0x88, 0xd8, 0x0f, 0xb6, 0xdb, 0xe8, 0, 0, 0, 0, 0xc3], 10, None).unwrap();
    assert_eq!(found[RBX], Some(Origin::Made(CODE + 2, 0)));
}

#[test]
fn what_was_copied_is_the_same_whatever_it_is() {
    // mov (%rsi),%rbx; lea 4(%rbx),%rdi; call
    let code = [0x48, 0x8b, 0x1e, 0x48, 0x8d, 0x7b, 4, 0xe8, 0, 0, 0, 0, 0xc3];
    let found = flow(&code, 12, None).unwrap();
    assert_eq!((found[RBX], found[RDI]), (Some(Origin::Made(CODE, 0)), Some(Origin::Made(CODE, 4))));
    // mov %rbx,%rdi; mov (%rsi),%rbx; call; jmp to the beginning
    let code = [0x48, 0x89, 0xdf, 0x48, 0x8b, 0x1e, 0xe8, 0, 0, 0, 0, 0xeb, 0xf3];
    let found = flow(&code, 11, None).unwrap();
    assert_eq!(found[RBX], Some(Origin::Made(CODE + 3, 0)));
    assert_ne!(found[RDI], found[RBX]);
}

#[test]
fn the_cases_of_a_table_are_followed() {
    // lea table(%rip),%r15; movslq (%r15,%rdx,4),%rdx; add %r15,%rdx; jmp *%rdx
    let mut code = vec![0x4c, 0x8d, 0x3d, 0x39, 0, 0, 0, 0x49, 0x63, 0x14, 0x97, 0x4c, 0x01, 0xfa, 0xff, 0xe2];
    // call; ret; mov $1,%ebx; jmp to the call
    code.extend([0xe8, 0, 0, 0, 0, 0xc3, 0xbb, 1, 0, 0, 0, 0xeb, 0xf3]);
    code.resize(0x40, 0xcc);
    let with = |cases: &[i32]| {
        let entries = cases.iter().flat_map(|case| (case - 0x40).to_le_bytes());
        let code: Vec<u8> = code.iter().copied().chain(entries).collect();
        flow(&code, 0x15, None)
    };
    assert_eq!(with(&[0x10, 0x1000]).unwrap()[RBX], Some(Origin::Entry(RBX, 0)));
    assert_eq!(with(&[0x16, 0x1000]).unwrap()[RBX], Some(Origin::Number(1)));
    assert_eq!(with(&[0x10, 0x16, 0x1000]).unwrap()[RBX], None);
    assert_eq!(with(&[0x1000]), None);
    // jmp *0x1040(,%rdx,8), with addresses; the rest as before.
    code.splice(..16, [0xff, 0x24, 0xd5, 0x40, 0x10, 0, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90]);
    let with = |cases: &[u64]| {
        let code: Vec<u8> = code.iter().copied().chain(cases.iter().flat_map(|case| case.to_le_bytes())).collect();
        flow(&code, 0x15, None)
    };
    assert_eq!(with(&[CODE + 0x16]).unwrap()[RBX], Some(Origin::Number(1)));
    assert_eq!(with(&[CODE + 0x10, CODE + 0x16]).unwrap()[RBX], None);
    assert_eq!(with(&[7]), None);
}
