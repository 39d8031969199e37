// Package story holds one test for each problem of the people Baton is built
// for, told with real processes: three nodes of the built binary, clients and
// workers over real WebSockets, faults where the problem has them.
//
// TestStories is the table of contents. Each story is a file, whose first comment
// is the problem in the words of somebody who has it; the test below it is what
// Baton does about it. Read alone, they say what the product promises.
//
// The stories share one fleet and follow each other, on channels and with clients
// of their own. One that breaks the fleet mends it.
package story
