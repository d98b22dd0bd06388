"""Golden vectors: hex beside fields, checked by both interpreters, by cbor2 and by the CDDL."""
