use iced_x86::{Decoder, DecoderOptions};
use proptest::prelude::*;

use super::*;

/// Does what these bytes say, with rax and rcx so, on memory at 0x1000 that
/// holds `there`.
fn step(code: &[u8], rax: Value, rcx: Value, there: u64) -> (Machine, Next, Option<Event>) {
    let read = |address: u64, buffer: &mut [u8]| {
        if address != 0x1000 {
            return false;
        }
        buffer[..8].copy_from_slice(&there.to_le_bytes());
        true
    };
    let memory = Memory::new(&read);
    let mut machine = Machine::at(0x400_000);
    machine.set_register(Register::RAX, rax);
    machine.set_register(Register::RCX, rcx);
    machine.set_register(Register::RDI, Value::of(0x1000));
    let instruction = Decoder::with_ip(64, code, machine.pc, DecoderOptions::NONE).decode();
    assert_eq!(instruction.len(), code.len(), "{instruction:?}");
    let (next, event) = execute(&instruction, &mut machine, &memory);
    (machine, next, event)
}

fn known(code: &[u8], rax: u64, rcx: u64) -> (Option<u64>, Flags) {
    let (machine, next, _) = step(code, Value::of(rax), Value::of(rcx), 0);
    assert_eq!(next, Next::Behind);
    (machine.register(Register::RAX).get(8), machine.flags)
}

proptest! {
    #[test]
    fn sums_and_differences_are_those_of_the_machine(a: u64, b: u64) {
        let (sum, flags) = known(&[0x48, 0x01, 0xc8], a, b); // add rax, rcx
        let ((result, carry), (signed, overflow)) = (a.overflowing_add(b), (a as i64).overflowing_add(b as i64));
        prop_assert_eq!(sum, Some(result));
        prop_assert_eq!((flags.carry, flags.overflow), (Some(carry), Some(overflow)));
        prop_assert_eq!((flags.zero, flags.sign), (Some(result == 0), Some(signed < 0)));

        let (difference, flags) = known(&[0x48, 0x29, 0xc8], a, b); // sub rax, rcx
        let ((result, carry), (signed, overflow)) = (a.overflowing_sub(b), (a as i64).overflowing_sub(b as i64));
        prop_assert_eq!(difference, Some(result));
        prop_assert_eq!((flags.carry, flags.overflow), (Some(carry), Some(overflow)));
        prop_assert_eq!((flags.zero, flags.sign), (Some(result == 0), Some(signed < 0)));

        let (sum, flags) = known(&[0x01, 0xc8], a, b); // add eax, ecx
        let (result, carry) = (a as u32).overflowing_add(b as u32);
        prop_assert_eq!((sum, flags.carry), (Some(u64::from(result)), Some(carry)));
        let (sum, flags) = known(&[0x00, 0xc8], a, b); // add al, cl
        let (result, carry) = (a as u8).overflowing_add(b as u8);
        prop_assert_eq!((sum, flags.carry), (Some(a & !0xff | u64::from(result)), Some(carry)));
    }

    #[test]
    fn conditions_are_those_of_the_numbers_compared(a: u64, b in prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)]) {
        for (code, holds) in [
            (0x92, a < b), (0x93, a >= b), (0x94, a == b), (0x95, a != b), (0x96, a <= b), (0x97, a > b),
            (0x9c, (a as i64) < b as i64), (0x9d, a as i64 >= b as i64), (0x9e, a as i64 <= b as i64), (0x9f, a as i64 > b as i64),
        ] {
            let (mut machine, _, _) = step(&[0x48, 0x39, 0xc8], Value::of(a), Value::of(b), 0); // cmp rax, rcx
            let set = [0x0f, code, 0xc0]; // setcc al
            let instruction = Decoder::with_ip(64, &set, 0, DecoderOptions::NONE).decode();
            let read = |_: u64, _: &mut [u8]| false;
            execute(&instruction, &mut machine, &Memory::new(&read));
            prop_assert_eq!(machine.register(Register::AL).get(1), Some(u64::from(holds)), "{:#x}: {} {}", code, a, b);
        }
    }

    #[test]
    fn shifts_products_and_logic_are_those_of_the_machine(a: u64, b: u64, count in 1_u8..64) {
        prop_assert_eq!(known(&[0x48, 0xc1, 0xe0, count], a, b).0, Some(a << count)); // shl
        prop_assert_eq!(known(&[0x48, 0xc1, 0xe8, count], a, b).0, Some(a >> count)); // shr
        prop_assert_eq!(known(&[0x48, 0xc1, 0xf8, count], a, b).0, Some((a as i64 >> count) as u64)); // sar
        prop_assert_eq!(known(&[0xc1, 0xf8, 4], a, b).0, Some(u64::from((a as i32 >> 4) as u32))); // sar eax, 4
        prop_assert_eq!(known(&[0x48, 0x0f, 0xaf, 0xc1], a, b).0, Some(a.wrapping_mul(b))); // imul
        prop_assert_eq!(known(&[0x48, 0x21, 0xc8], a, b).0, Some(a & b));
        prop_assert_eq!(known(&[0x48, 0x09, 0xc8], a, b).0, Some(a | b));
        prop_assert_eq!(known(&[0x48, 0x31, 0xc8], a, b).0, Some(a ^ b));
        prop_assert_eq!(known(&[0x48, 0xf7, 0xd8], a, b).0, Some(a.wrapping_neg())); // neg
        prop_assert_eq!(known(&[0x48, 0x0f, 0xbe, 0xc1], a, b).0, Some(i64::from(b as i8) as u64)); // movsx rax, cl
        prop_assert_eq!(known(&[0x0f, 0xb6, 0xc5], a, b).0, Some(b >> 8 & 0xff)); // movzx eax, ch
        prop_assert_eq!(known(&[0x48, 0x98], a, b).0, Some(i64::from(a as i32) as u64)); // cdqe
    }
}

#[test]
fn what_is_done_to_memory_at_one_time_is_told() {
    let at = |act| Some(Event { address: 0x1000, size: 4, act, pc: 0x400_000 });
    let (machine, _, event) = step(&[0x87, 0x0f], Value::ZERO, Value::of(7), 2); // xchg [rdi], ecx
    assert_eq!((event, machine.register(Register::RCX).get(8)), (at(Act::Exchange(Some(7))), Some(2)));
    let minus_one = Value::of(0xffff_ffff);
    let (machine, _, event) = step(&[0xf0, 0x0f, 0xc1, 0x0f], Value::ZERO, minus_one, 5); // lock xadd [rdi], ecx
    assert_eq!((event, machine.register(Register::RCX).get(8)), (at(Act::Add(Some(0xffff_ffff))), Some(5)));
    let (machine, _, event) = step(&[0xf0, 0x0f, 0xb1, 0x0f], Value::of(1), Value::ZERO, 3); // lock cmpxchg [rdi], ecx
    assert_eq!(event, at(Act::CompareExchange { expected: Some(1), new: Some(0) }));
    assert_eq!((machine.register(Register::RAX).get(8), machine.flags.zero), (Some(3), Some(false)), "it holds 3");
    let (_, _, event) = step(&[0xf0, 0xff, 0x0f], Value::ZERO, Value::ZERO, 3); // lock dec [rdi]
    assert_eq!(event, at(Act::Add(Some(0xffff_ffff))));
    let (_, _, event) = step(&[0x89, 0x0f], Value::ZERO, Value::ZERO, 3); // mov [rdi], ecx
    assert_eq!(event, None);
}

#[test]
fn what_is_not_known_stays_so() {
    let (machine, next, _) = step(&[0x48, 0x01, 0xc8], Value::UNKNOWN, Value::of(1), 0);
    assert_eq!((next, machine.register(Register::RAX).get(1), machine.flags.zero), (Next::Behind, None, None));
    let (_, next, _) = step(&[0x74, 0x10], Value::ZERO, Value::ZERO, 0); // je
    assert_eq!(next, Next::Either(0x400_012));
    let (machine, _, _) = step(&[0x48, 0x31, 0xc0], Value::UNKNOWN, Value::ZERO, 0); // xor rax, rax
    assert_eq!((machine.register(Register::RAX).get(8), machine.flags.zero), (Some(0), Some(true)));
    let (_, next, _) = step(&[0x48, 0x89, 0x08], Value::UNKNOWN, Value::ZERO, 0); // mov [rax], rcx
    assert_eq!(next, Next::Lost, "whatever is written over");
    let (machine, next, _) = step(&[0x0f, 0x05], Value::ZERO, Value::ZERO, 0); // syscall
    assert_eq!((next, machine.register(Register::RAX).get(1)), (Next::Behind, None));
    let (_, next, _) = step(&[0x0f, 0x05], Value::of(15), Value::ZERO, 0); // rt_sigreturn
    assert_eq!(next, Next::Lost, "what was interrupted goes on");
    assert_eq!(step(&[0x0f, 0x0b], Value::ZERO, Value::ZERO, 0).1, Next::Trap); // ud2
    let (machine, _, _) = step(&[0xf3, 0x0f, 0x7e, 0x07], Value::ZERO, Value::ZERO, 9); // movq xmm0, [rdi]
    assert_eq!(machine.vector(Register::XMM0)[0].get(8), Some(9));
    assert_eq!(machine.vector(Register::XMM1)[0].get(1), None);
}

#[test]
fn a_stack_that_is_protected_has_not_been_written_over() {
    let zero = |code: &[u8]| step(code, Value::UNKNOWN, Value::UNKNOWN, 0).0.flags.zero;
    // sub rax, fs:0x28; xor rax, fs:0x28; sub rax, fs:0x30
    assert_eq!(zero(&[0x64, 0x48, 0x2b, 0x04, 0x25, 0x28, 0, 0, 0]), Some(true));
    assert_eq!(zero(&[0x64, 0x48, 0x33, 0x04, 0x25, 0x28, 0, 0, 0]), Some(true));
    assert_eq!(zero(&[0x64, 0x48, 0x2b, 0x04, 0x25, 0x30, 0, 0, 0]), None);
    // sub rax, [0x28]: no thread's.
    assert_eq!(zero(&[0x48, 0x2b, 0x04, 0x25, 0x28, 0, 0, 0]), None);
    // hlt
    assert_eq!(step(&[0xf4], Value::ZERO, Value::ZERO, 0).1, Next::Trap);
}
