// Package play runs a definition against a script, with no cluster: the script says what
// workers and others do, and what is expected to come of it. What decides is
// engine.Advance, as in a partition; time passes as fast as nothing else is to be done.
//
//	ParseScript, then Run for each of its tests:
//
//	definition + test -> the run, event by event -> Report, with what was not as expected
//
// What it does not know: limits and priorities, which make jobs wait but change no run;
// jitter, without which each delay is the whole of it; and the workflows that are called,
// for which the script speaks.
package play
