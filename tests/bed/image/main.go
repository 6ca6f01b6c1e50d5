// Command image-oracle answers with the library by which kubelets and container runtimes read references to images, so that
// ours can be held against it.
//
// Each input line is a JSON string, read as a reference. Each answer is one line:
//
//	!                        the string is rejected
//	<name> <tag> <digest>    the string is accepted; a tag or a digest that is missing is -
package main

import (
	"bufio"
	// A digest is accepted where its algorithm is linked in, as it is in every runtime.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/json"
	"fmt"
	"os"

	"github.com/distribution/reference"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	for number := 1; ; number++ {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		var text string
		if err := json.Unmarshal(line, &text); err != nil {
			fmt.Fprintf(os.Stderr, "line %d is not a JSON string: %v\n", number, err)
			os.Exit(2)
		}
		fmt.Fprintln(out, answer(text))
		// The asker waits once it has nothing more to send.
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
	out.Flush()
}

func answer(text string) string {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "!"
	}
	tag, digest := "-", "-"
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		digest = digested.Digest().String()
	}
	return fmt.Sprintf("%s %s %s", named.Name(), tag, digest)
}
