//! What a blocked thread waits for: the registry of decoders.
