// SPDX-License-Identifier: Apache-2.0
package io.jvfio.sim.setup;

import io.jvfio.model.DeviceModel;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The rights and limits that the process on a host has, and what its administrator has set up.
 *
 * <p>{@code HostOptions} is the only one that writes the fields, each time into a new copy. A host
 * that runs only reads them, from any thread.
 */
public final class HostSettings implements Cloneable {
  /** Numbers of capabilities. Source: {@code include/uapi/linux/capability.h}. */
  public static final int CAP_IPC_LOCK = 14;

  public static final int CAP_SYS_RAWIO = 17;
  public static final int CAP_SYS_ADMIN = 21;
  public static final int CAP_SYS_RESOURCE = 24;

  /** All that root has on Linux 6.12, as in {@code CapEff} of {@code /proc/self/status}. */
  private static final long ALL_CAPABILITIES = 0x1ff_ffff_ffffL;

  public int uid;
  public long capabilities = ALL_CAPABILITIES;
  public long lockedMemoryLimit = 8 << 20;
  public int openFileLimit = 1024;
  public int pid = 4711;
  public boolean groupAccess;
  public boolean vfioLoaded = true;
  public boolean iommuDriverLoaded = true;
  public boolean interruptsIsolated = true;
  public boolean tracksDirtyPages;
  public int dmaEntryLimit = 65535;
  public int interruptVectors = 2048;

  /** How many huge pages there are, by their size in bytes. */
  public Map<Long, Integer> hugePages = Map.of();

  public List<Sibling> siblings = List.of();

  /** The addresses of the devices that a vendor's driver has, which can migrate them. */
  public Set<String> migratable = Set.of();

  /** Whether that driver can stop DMA to other devices first. */
  public boolean peerToPeer;

  /** Whether that driver can copy while the device runs. */
  public boolean preCopy;

  /** Who has a group open, by the group's id. */
  public Map<Integer, Holder> holders = Map.of();

  /** The model for a device's address, or null for the host's own. */
  public Function<String, @Nullable DeviceModel> models = _ -> null;

  /** A further function. */
  public record Sibling(String address, String besides, String driver, Kind kind) {
    public enum Kind {
      /** In the group of the other. */
      SHARES_GROUP,
      /** On the other's bus, in a group of its own. */
      SHARES_BUS,
      /** Behind the same IOMMU as the other, below a bridge, in a group of its own. */
      BELOW_BRIDGE,
      /** A virtual function of the other. */
      IS_VIRTUAL
    }
  }

  /** Another process that has a group open. */
  public record Holder(int pid, String command) {
    /** One that procfs does not show. */
    public static final Holder UNSEEN = new Holder(0, "");
  }

  @Override
  public HostSettings clone() {
    try {
      return (HostSettings) super.clone();
    } catch (CloneNotSupportedException e) {
      throw new AssertionError(e);
    }
  }

  /** Whether the process has a capability. */
  public boolean has(int capability) {
    return (capabilities & 1L << capability) != 0;
  }

  @Override
  public String toString() {
    var text = new StringJoiner(", ");
    text.add("uid " + uid).add("capabilities 0x%x".formatted(capabilities));
    text.add("%,d bytes of locked memory".formatted(lockedMemoryLimit));
    text.add("%,d open files".formatted(openFileLimit)).add("pid " + pid);
    text.add("%,d mappings".formatted(dmaEntryLimit));
    text.add("%,d interrupt vectors".formatted(interruptVectors));
    add(text, groupAccess, "access to groups");
    add(text, !vfioLoaded, "no VFIO");
    add(text, !iommuDriverLoaded, "no IOMMU driver");
    add(text, !interruptsIsolated, "no interrupt isolation");
    add(text, tracksDirtyPages, "dirty tracking");
    add(text, !hugePages.isEmpty(), "huge pages " + hugePages);
    add(text, !siblings.isEmpty(), "siblings " + siblings);
    add(text, !migratable.isEmpty(), "migratable " + migratable);
    add(text, !holders.isEmpty(), "groups held by " + holders);
    return text.toString();
  }

  private static void add(StringJoiner text, boolean holds, String setting) {
    if (holds) {
      text.add(setting);
    }
  }
}
