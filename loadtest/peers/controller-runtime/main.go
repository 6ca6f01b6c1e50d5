// An admission webhook as controller-runtime's documentation shows it: the Deployment is decoded, and allowed (`allow`) or
// refused (`deny`).
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

type always struct {
	decoder admission.Decoder
	allow   bool
}

func (a always) Handle(_ context.Context, request admission.Request) admission.Response {
	var deployment appsv1.Deployment
	if err := a.decoder.Decode(request, &deployment); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if a.allow {
		return admission.Allowed("")
	}
	return admission.Denied("this webhook refuses everything")
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(arguments []string) error {
	if len(arguments) != 3 || (arguments[0] != "allow" && arguments[0] != "deny") {
		return fmt.Errorf("usage: controller-runtime allow|deny ADDRESS CERTIFICATE-FOLDER")
	}
	ctrl.SetLogger(zap.New())
	host, name, err := net.SplitHostPort(arguments[1])
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(name)
	if err != nil {
		return fmt.Errorf("%q is not a port: %w", name, err)
	}
	scheme := runtime.NewScheme()
	if err := appsv1.AddToScheme(scheme); err != nil {
		return err
	}
	handler := always{decoder: admission.NewDecoder(scheme), allow: arguments[0] == "allow"}
	server := webhook.NewServer(webhook.Options{Host: host, Port: port, CertDir: arguments[2]})
	server.Register("/validate-deployment", &webhook.Admission{Handler: handler})
	return server.Start(ctrl.SetupSignalHandler())
}
