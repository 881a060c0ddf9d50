// Two mutexes, each at the very beginning of a mapping with nothing before it, taken
// crosswise.
// usage: edge KIND; prints the ids of both threads.
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

unsafe extern "C" {
    fn mmap(address: *mut u8, length: usize, protection: i32, flags: i32, fd: i32, offset: i64) -> *mut u8;
    fn mprotect(address: *mut u8, length: usize, protection: i32) -> i32;
    fn gettid() -> i32;
}

const PAGE: usize = 4096;

fn at_an_edge() -> &'static Mutex<u64> {
    // Private and anonymous, not to be touched; then the second page may be used.
    let pages = unsafe { mmap(std::ptr::null_mut(), 2 * PAGE, 0, 0x22, -1, 0) };
    let place = unsafe { pages.add(PAGE) };
    assert_eq!(unsafe { mprotect(place, PAGE, 3) }, 0);
    let place = place.cast::<Mutex<u64>>();
    unsafe {
        place.write(Mutex::new(1));
        &*place
    }
}

fn main() {
    let (one, other) = (at_an_edge(), at_an_edge());
    let (send, receive) = channel();
    let threads: Vec<_> = [(one, other), (other, one)]
        .into_iter()
        .map(|(first, second)| {
            let send = send.clone();
            thread::spawn(move || {
                let mut first = first.lock().unwrap();
                send.send(unsafe { gettid() }).unwrap();
                thread::sleep(Duration::from_millis(200));
                *first += *second.lock().unwrap();
            })
        })
        .collect();
    println!("{} {}", receive.recv().unwrap(), receive.recv().unwrap());
    for thread in threads {
        thread.join().unwrap();
    }
}
