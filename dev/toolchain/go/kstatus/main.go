// Prints what kstatus, by which Flux judges health, makes of resources: a JSON object a line in, its status and message out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var resource unstructured.Unstructured
		if err := resource.UnmarshalJSON(lines.Bytes()); err != nil {
			fail(err)
		}
		result, err := status.Compute(&resource)
		if err != nil {
			fail(err)
		}
		answer, err := json.Marshal(map[string]string{"status": string(result.Status), "message": result.Message})
		if err != nil {
			fail(err)
		}
		fmt.Println(string(answer))
	}
	if err := lines.Err(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
