// Package command is the format of the replicated log, on one page.
//
// A Raft entry of a partition is a header and up to MaxEntryCommands commands:
//
//	entry    = version(1) header count(uvarint) { length(uvarint) command }
//	header   = epoch(uvarint) generation(uvarint) time(uvarint, Unix ms) slot_map(uvarint)
//	           check_index(uvarint) check_chain(8, little endian)
//	           offers(uvarint) { offer }
//	offer    = channel group tenant node worker (strings)
//	           session(uvarint) subscription(uvarint) lease_ms(uvarint) credit(uvarint)
//	command  = kind(1) slot(uvarint) slot_map(uvarint) body
//	row      = kind(1) event parent time name: what a Relay carries, as strings
//	string   = length(uvarint) bytes
//	payload  = codec(1) bytes(string)
//	event    = its fields, then payload, or 0xff payload later(string), which holds
//	           the fields that came later: ttl_ms(uvarint)
//
// A body's fields stand in the order of its Go struct, integers as uvarint,
// booleans and optional parts as one byte. Fields are only ever added at the
// end of a body, and a decoder accepts a body that ends early: the missing
// fields are zero. A new meaning is a new kind, never a new reading of an old
// one. Nothing is proposed that a voter of the group cannot decode; a replica
// that meets an unknown kind stops rather than guess.
//
// Identities live here too, because they are made of the same numbers:
// EventID (epoch, partition, queue, position), LeaseID and its authenticated
// token, and the pinned hash that maps (tenant, key) to one of Slots slots.
//
// The package refuses to know what a command does: that is fsm's business.
package command
