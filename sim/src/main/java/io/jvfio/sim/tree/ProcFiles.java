// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.tree;

import io.jvfio.linux.Architecture;
import io.jvfio.sim.device.HostDevices;
import io.jvfio.sim.files.FileNode;
import io.jvfio.sim.files.FileTable;
import io.jvfio.sim.files.HostProcess;
import io.jvfio.sim.files.PagemapFile;
import io.jvfio.sim.setup.HostDescription;
import io.jvfio.sim.setup.HostSettings;
import io.jvfio.sim.setup.IommuPlatform;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The files of procfs for the host and its processes. */
final class ProcFiles {
  /** Descriptor of the group in a process that holds one; any will do. */
  private static final String HOLDER_FD = "17";

  private final HostDevices host;
  private final HostProcess process;
  private final HostDescription description;
  private final HostSettings settings;

  ProcFiles(HostDevices host) {
    this.host = host;
    this.process = host.process();
    this.description = process.description();
    this.settings = process.settings();
  }

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  void addTo(FileNode.Directory proc) {
    proc.directory("sys/kernel").text("osrelease", description.release());
    boolean isRecorded = description.recorded() != null;
    if (!isRecorded) {
      addMachine(proc);
    }
    proc.text("cpuinfo", "processor\t: 0" + platformLine());
    proc.link("self", Integer.toString(settings.pid));
    var self = proc.directory(Integer.toString(settings.pid));
    self.text("comm", "java");
    self.put("status", new FileNode.Content(this::status));
    if (!isRecorded) {
      self.text("cgroup", "0::/");
      self.text("mountinfo", "1 1 0:2 / / rw - rootfs rootfs rw");
    }
    self.put("fd", new Descriptors(process.files()));
    self.put("pagemap", new FileNode.Special(_ -> new PagemapFile(process)));
    for (var entry : settings.holders.entrySet()) {
      if (entry.getValue().equals(HostSettings.Holder.UNSEEN)) {
        continue;
      }
      var holder = proc.directory(Integer.toString(entry.getValue().pid()));
      holder.text("comm", entry.getValue().command());
      holder.directory("fd").setRootOnly();
      holder.directory("fd").link(HOLDER_FD, "/dev/vfio/" + nodeName(entry.getKey()));
    }
  }

  /**
   * What the catalog's hosts show of themselves, which run on an initial RAM disk; no recording
   * does.
   */
  private void addMachine(FileNode.Directory proc) {
    boolean isPc = description.architecture() == Architecture.X86_64;
    boolean intelIommu = description.paging() != null && isPc;
    proc.text("cmdline", intelIommu ? "console=ttyS0 panic=-1 intel_iommu=on" : "panic=-1");
    proc.text("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority");
    proc.directory("net")
        .text("route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask");
    proc.directory("net").bytes("ipv6_route", new byte[0]);
    var chip =
        switch (description.architecture()) {
          case X86_64 ->
              intelIommu && settings.interruptsIsolated ? "IR-IO-APIC  4-edge" : "IO-APIC   4-edge";
          case AARCH64 -> "ITS-PCI-MSI 0 Edge";
          default -> "XIVE-IRQ  20 Edge";
        };
    proc.text("interrupts", "           CPU0\n  4:         17  " + chip + "      ttyS0");
  }

  private String nodeName(int id) {
    for (var group : host.groups()) {
      if (group.id() == id) {
        return group.nodeName();
      }
    }
    return Integer.toString(id);
  }

  private String platformLine() {
    if (description.architecture() != Architecture.PPC64LE) {
      var recorded = description.recorded();
      return recorded != null && recorded.machine().hypervisorFlag()
          ? "\nflags\t\t: fpu hypervisor"
          : "";
    }
    return "\nplatform\t: "
        + (description.platform() instanceof IommuPlatform.Ioda2 ? "PowerNV" : "pSeries");
  }

  /** {@code status} of the process itself. */
  private byte[] status() {
    int pid = settings.pid;
    int uid = settings.uid;
    var ids = "\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\n";
    var capabilities = Hex.digits(settings.capabilities, 16);
    return ascii(
        "Name:\tjava\nUmask:\t0022\nState:\tR (running)\nTgid:\t"
            + pid
            + "\nNgid:\t0\nPid:\t"
            + pid
            + "\nPPid:\t1\nTracerPid:\t0\nUid:"
            + ids
            + "Gid:"
            + ids
            + kilobytes("VmLck", process.locked().bytes())
            + kilobytes("VmPin", process.pinned().bytes())
            + "CapInh:\t0000000000000000\nCapPrm:\t"
            + capabilities
            + "\nCapEff:\t"
            + capabilities
            + "\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n");
  }

  private static String kilobytes(String name, long bytes) {
    var number = Long.toString(bytes >> 10);
    return name + ":\t" + " ".repeat(Math.max(0, 8 - number.length())) + number + " kB\n";
  }

  /** The process's own descriptors. */
  private static final class Descriptors extends FileNode.Directory {
    private final FileTable files;

    Descriptors(FileTable files) {
      this.files = files;
    }

    @Override
    public Collection<String> names() {
      return List.copyOf(files.descriptors().stream().map(fd -> Integer.toString(fd)).toList());
    }

    @Override
    public @Nullable FileNode get(String name) {
      for (int fd : files.descriptors()) {
        var file = files.get(fd);
        if (file != null && Integer.toString(fd).equals(name)) {
          return new FileNode.Link(file.path());
        }
      }
      return null;
    }
  }
}
