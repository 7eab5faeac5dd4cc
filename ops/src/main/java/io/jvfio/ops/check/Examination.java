// SPDX-License-Identifier: Apache-2.0
package io.jvfio.ops.check;

import io.jvfio.HostDevice;
import io.jvfio.IommuGroup;
import io.jvfio.PciAddress;
import io.jvfio.VfioHost;
import io.jvfio.linux.Architecture;
import io.jvfio.linux.Kernel;
import io.jvfio.ops.Finding;
import io.jvfio.ops.Verdict;
import io.jvfio.spi.HostKnowledge;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A host under examination: what is known of it, what was asked, and what has been found so far.
 * Used by one thread.
 */
public final class Examination {
  /** The object of findings that are about the whole machine. */
  static final String HOST = "host";

  static final String OSRELEASE = "/proc/sys/kernel/osrelease";

  private final VfioHost host;
  private final OptionalLong memory;
  private final List<HostDevice> asked;
  private final HostFiles files;
  private final HostKnowledge knowledge;
  private final Optional<String> release;
  private final List<HostDevice> devices;
  private final List<IommuGroup> groups;
  private final List<Finding> findings = new ArrayList<>();
  private @Nullable Map<PciAddress, List<String>> uses;
  private @Nullable Map<String, String> holders;

  /**
   * The beginning of an examination.
   *
   * @param memory how many bytes are to be mapped; empty where nobody said
   * @param asked the devices that were asked about; empty for all that a VFIO driver has
   */
  public Examination(VfioHost host, OptionalLong memory, List<HostDevice> asked) {
    this.host = host;
    this.memory = memory;
    this.asked = List.copyOf(asked);
    this.files = new HostFiles(host.kernel());
    this.knowledge = HostKnowledge.of(host);
    this.release = files.text(OSRELEASE);
    this.devices = host.devices();
    this.groups = host.groups();
  }

  /** What has been found so far, in the order in which it was found. */
  public List<Finding> findings() {
    return List.copyOf(findings);
  }

  VfioHost host() {
    return host;
  }

  Kernel kernel() {
    return host.kernel();
  }

  HostFiles files() {
    return files;
  }

  HostKnowledge knowledge() {
    return knowledge;
  }

  OptionalLong memory() {
    return memory;
  }

  List<HostDevice> asked() {
    return asked;
  }

  boolean isAsked(HostDevice device) {
    return asked.contains(device);
  }

  boolean isPower() {
    return kernel().architecture() == Architecture.PPC64LE;
  }

  /** Who has nodes of VFIO open, by the node. */
  Map<String, String> holders() {
    if (holders == null) {
      holders = knowledge.holders("/dev/vfio/");
    }
    return holders;
  }

  /** What the host itself uses devices for, each as the end of a sentence. */
  Map<PciAddress, List<String>> uses() {
    if (uses == null) {
      uses = UseChecks.ofHost(this);
    }
    return uses;
  }

  /** The devices of the host, by address. */
  List<HostDevice> devices() {
    return devices;
  }

  /** The groups of the host, by number. */
  List<IommuGroup> groups() {
    return groups;
  }

  /** Whether an IOMMU has made a group. */
  boolean isTranslated() {
    return groups.stream().anyMatch(group -> !group.noIommu());
  }

  /** The groups to examine: of the devices asked about, or those that VFIO has. */
  List<IommuGroup> groupsOfInterest() {
    return groups.stream()
        .filter(
            group ->
                asked.isEmpty()
                    ? group.isBoundToVfio()
                    : group.devices().stream().anyMatch(asked::contains))
        .toList();
  }

  /** The devices to examine: those asked about, or those that VFIO has. */
  List<HostDevice> devicesOfInterest() {
    return asked.isEmpty() ? devices.stream().filter(HostDevice::isBoundToVfio).toList() : asked;
  }

  /** The group of a device. */
  Optional<IommuGroup> groupOf(HostDevice device) {
    return groups.stream().filter(group -> group.devices().contains(device)).findFirst();
  }

  /** The kernel's release, such as {@code 6.12.107+deb13-amd64}. */
  Optional<String> release() {
    return release;
  }

  /** The kernel's version. */
  Optional<KernelRelease> version() {
    return release.flatMap(KernelRelease::parse);
  }

  /**
   * The start of a finding, which one of the methods of {@link Open} ends.
   *
   * @param why why it matters
   * @param lookedAt what is read for it
   */
  Open finding(String id, String object, String why, String... lookedAt) {
    return new Open(id, object, why, new ArrayList<>(List.of(lookedAt)));
  }

  /** A finding without its verdict. */
  final class Open {
    private final String id;
    private final String object;
    private final String why;
    private final List<String> lookedAt;

    private Open(String id, String object, String why, List<String> lookedAt) {
      this.id = id;
      this.object = object;
      this.why = why;
      this.lookedAt = lookedAt;
    }

    /** Adds what was read as well. */
    Open lookedAt(String path) {
      lookedAt.add(path);
      return this;
    }

    void pass(String found) {
      end(Verdict.PASS, found, "");
    }

    /**
     * Ends it as something that works and surprises.
     *
     * @param mend what mends it; "" for nothing
     */
    void warn(String found, String mend) {
      end(Verdict.WARN, found, mend);
    }

    /**
     * Ends it as something that blocks.
     *
     * @param mend what mends it; "" for nothing
     */
    void fail(String found, String mend) {
      end(Verdict.FAIL, found, mend);
    }

    /** Ends it as something that the host does not tell. */
    void unknown(String found) {
      end(Verdict.UNKNOWN, "Not known here: " + found, "");
    }

    private void end(Verdict verdict, String found, String mend) {
      findings.add(
          new Finding(
              id,
              verdict,
              object,
              lookedAt,
              found,
              why,
              mend.isEmpty() ? Optional.empty() : Optional.of(mend)));
    }
  }
}
