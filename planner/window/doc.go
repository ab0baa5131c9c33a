// Package window is the calendar of maintenance windows: when one is open, why, until when, and what opens next.
//
// It is pure arithmetic of clocks on walls. It reads no clock, starts nothing and holds nothing back: package
// schedule does, with the openings that it gets from here.
//
// What it promises: a window opens at what the clock of its zone shows, on the day on which it opens; a time that
// is left out when clocks go forward is when they do; one that comes twice is the first of the two, once; an
// opening is half-open, from its first instant until just before its last. The libraries for cron and recurrence
// get some of these wrong, so the arithmetic is here. The parser knows five fields and no extension.
package window
