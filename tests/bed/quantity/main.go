// Command quantity-oracle answers with Go's resource.Quantity, so that the Rust one can be held against it.
//
// Each input line is a JSON string, read as a quantity. Each answer is one line:
//
//	!<error text>       the string is rejected
//	<order><sign> <s>   the string is accepted and String() gives s; order is <, = or > against the line before,
//	                    or ? where the line before was rejected or either is not to be compared; sign is -, 0 or +
//
// A line that starts with ~ is not compared with its neighbours: Go writes out all digits to compare, which an
// exponent in the billions makes impossible, although parsing and printing it are quick.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/api/resource"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	var before *resource.Quantity
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		compared := line[0] != '~'
		if !compared {
			line = line[1:]
		}
		var text string
		if err := json.Unmarshal(line, &text); err != nil {
			fmt.Fprintf(os.Stderr, "line %d is not a JSON string: %v\n", number, err)
			os.Exit(2)
		}
		before = answer(out, text, before, compared)
		// The asker waits once it has nothing more to send.
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
	out.Flush()
}

// answer writes the line for text and returns what the next line is to be compared with, if anything.
func answer(out *bufio.Writer, text string, before *resource.Quantity, compared bool) *resource.Quantity {
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		fmt.Fprintf(out, "!%v\n", err)
		return nil
	}
	// Printed first: a comparison may change how the value is held.
	printed := quantity.String()
	order := byte('?')
	if compared && before != nil {
		order = "<=>"[quantity.Cmp(*before)+1]
	}
	fmt.Fprintf(out, "%c%c %s\n", order, "-0+"[quantity.Sign()+1], printed)
	if !compared {
		return nil
	}
	return &quantity
}
