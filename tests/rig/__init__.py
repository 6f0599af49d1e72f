"""The rig: a real Kubernetes control plane and a real Prometheus on loopback, for the tests and for the demo.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the released programs. Nodes and
containers are simulated by KWOK, which also serves the memory of those containers as a kubelet's cAdvisor
would, so that a leak is something that Prometheus scrapes and not something that a test asserts.

`tests.rig.cluster.Cluster.start()` is the way in; `python -m tests.rig` is the same thing for a person.
"""
