"""The files that make a folder an unpacked vagrant box of the provider libvirt."""

from __future__ import annotations

import json

from lab.foundation.files import write_atomically
from lab.supply.box.model import Box

VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.ssh.insert_key = false
  config.vm.synced_folder ".", "/vagrant", disabled: true
  config.vm.provider :libvirt do |libvirt|
    libvirt.driver = "qemu"
    libvirt.disk_bus = "virtio"
    libvirt.nic_model_type = "virtio"
    libvirt.kernel = File.expand_path("vmlinuz", __dir__)
    libvirt.initrd = File.expand_path("initrd.img", __dir__)
    libvirt.cmd_line = "{kernel_arguments}"
  end
end
"""


def write_vagrant_files(box: Box) -> None:
    """Write metadata.json and the box's own Vagrantfile, which boots its kernel directly."""
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": box.virtual_size_gib}
    write_atomically(box.folder / "metadata.json", json.dumps(metadata, indent=2) + "\n")
    write_atomically(box.folder / "Vagrantfile", VAGRANTFILE.format(kernel_arguments=box.kernel_arguments))
