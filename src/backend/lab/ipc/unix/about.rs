//! What the nine Unix transports are, in words.

use rustix::net::SocketType;

use super::{Naming, Unix};
use crate::backend::lab::ipc::{About, Family};
use crate::model::channel::Waiting;

const WAITS: &[Waiting] = &[Waiting::Block, Waiting::Spin];

macro_rules! stream {
    () => {
        "Two bounded FIFO queues of bytes, one each way, between two sockets. What counts against the bound is the \
         kernel's memory for a message, not its bytes alone; boundaries are not kept."
    };
}

macro_rules! datagram {
    () => {
        "A bounded FIFO queue of whole messages in front of each socket. A sender waits while the receiver's queue \
         holds net.unix.max_dgram_qlen messages, or its own buffer is used up."
    };
}

macro_rules! seqpacket {
    () => {
        "Two bounded FIFO queues of whole messages, one each way, between two sockets that are connected: a stream \
         that keeps boundaries."
    };
}

macro_rules! path {
    () => {
        " The sockets meet under a path in the file system, whose permissions decide who may connect."
    };
}

macro_rules! hidden {
    () => {
        " The sockets meet under an abstract name, which is no file: any process of the network namespace may connect."
    };
}

const STREAM_GUARANTEES: &[&str] = &[
    "bytes arrive once, in order, unharmed",
    "descriptors and credentials can ride along with the bytes",
    "either direction can be closed by itself (shutdown)",
];
const DATAGRAM_GUARANTEES: &[&str] = &[
    "messages arrive whole, once, in order, unharmed: locally a datagram is not lost",
    "descriptors and credentials can ride along with a message",
    "several senders may share one receiver",
];
const SEQPACKET_GUARANTEES: &[&str] = &[
    "messages arrive whole, once, in order, unharmed",
    "descriptors and credentials can ride along with a message",
    "the end of the connection is seen, as on a stream",
];

macro_rules! stream_failures {
    ($($name:literal)?) => {
        &[
            "the peer is gone: EPIPE on writing, the end of the stream on reading",
            "the peer is gone with bytes unread: ECONNRESET on reading",
            "small messages waste the bound: each takes a few hundred bytes of bookkeeping",
            $($name)?
        ]
    };
}

macro_rules! datagram_failures {
    ($($name:literal)?) => {
        &[
            "the receiver is gone: ECONNREFUSED on sending",
            "the sender is gone: nothing tells the receiver, which waits for ever",
            "a message larger than the send buffer: EMSGSIZE",
            "a message longer than the receiver's buffer is cut off without an error",
            $($name)?
        ]
    };
}

macro_rules! seqpacket_failures {
    ($($name:literal)?) => {
        &[
            "the peer is gone: EPIPE on sending, a message of no bytes on receiving",
            "a message larger than the send buffer: EMSGSIZE",
            "a message longer than the receiver's buffer is cut off without an error",
            $($name)?
        ]
    };
}

macro_rules! unix {
    ($doc:literal $static:ident $key:literal $name:literal $kind:ident $naming:ident $guarantees:ident $model:expr, $failures:expr) => {
        #[doc = $doc]
        pub static $static: Unix = Unix {
            about: &About {
                key: $key,
                name: $name,
                family: if matches!(SocketType::$kind, SocketType::STREAM) { Family::Stream } else { Family::Messages },
                model: $model,
                guarantees: $guarantees,
                failures: $failures,
                loses: false,
                waits: WAITS,
            },
            kind: SocketType::$kind,
            naming: Naming::$naming,
        };
    };
}

unix!("Stream sockets, a pair." STREAM "unix_stream" "Unix stream" STREAM Pair STREAM_GUARANTEES
    stream!(), stream_failures!());
unix!("Stream sockets that met under a path." STREAM_PATH "unix_stream_path" "Unix stream, path" STREAM Path STREAM_GUARANTEES
    concat!(stream!(), path!()), stream_failures!("a path that was left behind: EADDRINUSE on binding, until somebody unlinks it"));
unix!("Stream sockets that met under an abstract name." STREAM_ABSTRACT "unix_stream_abstract" "Unix stream, abstract" STREAM Abstract STREAM_GUARANTEES
    concat!(stream!(), hidden!()), stream_failures!("whoever binds the name first has it"));
unix!("Datagram sockets, a pair." DATAGRAM "unix_datagram" "Unix datagram" DGRAM Pair DATAGRAM_GUARANTEES
    datagram!(), datagram_failures!());
unix!("Datagram sockets that met under paths." DATAGRAM_PATH "unix_datagram_path" "Unix datagram, path" DGRAM Path DATAGRAM_GUARANTEES
    concat!(datagram!(), path!()), datagram_failures!("a path that was left behind: EADDRINUSE on binding, until somebody unlinks it"));
unix!("Datagram sockets that met under abstract names." DATAGRAM_ABSTRACT "unix_datagram_abstract" "Unix datagram, abstract" DGRAM Abstract DATAGRAM_GUARANTEES
    concat!(datagram!(), hidden!()), datagram_failures!("whoever binds the name first has it"));
unix!("Seqpacket sockets, a pair." SEQPACKET "unix_seqpacket" "Unix seqpacket" SEQPACKET Pair SEQPACKET_GUARANTEES
    seqpacket!(), seqpacket_failures!());
unix!("Seqpacket sockets that met under a path." SEQPACKET_PATH "unix_seqpacket_path" "Unix seqpacket, path" SEQPACKET Path SEQPACKET_GUARANTEES
    concat!(seqpacket!(), path!()), seqpacket_failures!("a path that was left behind: EADDRINUSE on binding, until somebody unlinks it"));
unix!("Seqpacket sockets that met under an abstract name." SEQPACKET_ABSTRACT "unix_seqpacket_abstract" "Unix seqpacket, abstract" SEQPACKET Abstract SEQPACKET_GUARANTEES
    concat!(seqpacket!(), hidden!()), seqpacket_failures!("whoever binds the name first has it"));
